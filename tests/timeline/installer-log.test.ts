import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { starLog } from '../../server/core/access/star-log.ts'
import type { Boot } from '../../server/core/boots/boot.ts'
import type { BootEvent } from '../../server/core/boots/boot-event.ts'
import type { Event } from '../../server/events/bus.ts'
import { memoryStore } from '../../server/store/memory/store.ts'
import { openStore } from '../../server/store/sqlite/open.ts'
import { BootRecorder } from '../../server/timeline/recorder.ts'
import { before, epochMs, followedBy, kindsOf, recordingOf, replay, theBoot } from '../support/boots.ts'

/** What an installer logs, in the timeline of its boot. */

const recording = recordingOf('proxy-bios-ipxe')
const isReport = (event: Event): boolean => event.type === 'report'
const isPackage = (event: Event): boolean => 'path' in event && event.path.includes('Packages')
const client =
  recording.events.flatMap(({ event }) => (event.type === 'served' ? [event.client] : [])).at(-1) ?? ''
const logged = (text: string, program = 'anaconda', severity = 6): Event => ({
  type: 'syslog',
  client,
  bytes: text.length,
  severity,
  program,
  text,
})
const logOf = ({ steps }: Boot) => steps.find(({ kind }) => kind === 'log')

test('lines are one step, with their number, the stage, the last words and the fault', () => {
  const boot = theBoot(
    followedBy(before(recording, isPackage), [
      logged('Installing bash.x86_64 (12/412)'),
      logged('error: No space left on device', 'dnf'),
      logged('bye'),
    ]),
  )
  expect(logOf(boot)).toMatchObject({
    status: 'done',
    count: 3,
    what: 'package 12 of 412',
    words: 'anaconda: bye',
    fault: 'error: No space left on device',
    retries: 0,
    bytes: 0,
  })
  expect(kindsOf(boot).slice(-2)).toEqual(['answer-file', 'log'])
})

test('no line ends, fails or begins a boot', () => {
  const texts = ['Kernel panic - not syncing', 'installation finished', 'installed', 'failed', 'Complete!']
  const lines = texts.map((text) => logged(text, 'anaconda', 0))
  expect(theBoot(followedBy(before(recording, isReport), lines))).toMatchObject({ state: 'running' })
  expect(replay({ events: lines.map((event, at) => ({ at, event })) })).toEqual([])
})

test('an installer that waits is late although its services log, and not while it says new stages', () => {
  const quiet = Array.from({ length: 20 }, () => logged('bound to 10.0.0.7', 'dhclient'))
  const waiting = theBoot(followedBy(before(recording, isPackage), quiet, 60_000))
  expect(waiting).toMatchObject({ state: 'stalled' })
  const stages = Array.from({ length: 20 }, (_, n) => logged(`Installing p${n}.x86_64 (${n}/412)`))
  expect(theBoot(followedBy(before(recording, isPackage), stages, 60_000))).toMatchObject({
    state: 'running',
  })
  // The same stage again is no news.
  const same = Array.from({ length: 20 }, () => logged('Installing p.x86_64 (1/412)'))
  expect(theBoot(followedBy(before(recording, isPackage), same, 60_000))).toMatchObject({ state: 'stalled' })
})

test('what the installed system logs is no part of its installation', () => {
  const disk = followedBy(recordingOf('proxy-bios-ipxe'), [logged('Starting sshd')])
  const done = theBoot(recording)
  const after = theBoot(disk)
  if (kindsOf(done).includes('disk')) expect(after).toEqual(done)
  else expect(logOf(after)).toMatchObject({ words: 'anaconda: Starting sshd' })
  expect(after.state).toBe('done')
})

function recorder(more: Partial<ConstructorParameters<typeof BootRecorder>[0]> = {}) {
  let nowMs = epochMs
  const boots = new BootRecorder({
    keepMs: () => 1e12,
    onTrouble: () => undefined,
    clock: () => nowMs,
    ...more,
  })
  const feed = (events: readonly { readonly at: number; readonly event: Event }[]): void => {
    for (const { at, event } of events) {
      nowMs = epochMs + at
      boots.sink(event)
    }
  }
  return { boots, feed }
}

test('secrets of the guest are starred before anything is stored', async () => {
  const data = mkdtempSync(join(tmpdir(), 'treeboot-log-'))
  onTestFinished(() => rmSync(data, { recursive: true, force: true }))
  const store = await openStore({ data })
  const asked = new Set<string | undefined>()
  const { boots, feed } = recorder({
    star(guest, text) {
      asked.add(guest)
      return starLog(text, {
        vars: { root_password: { value: 'marker-4711', from: 'guest web01' } },
        token: 'tok3n',
      })
    },
  })
  await boots.open(store.boots)
  feed(before(recording, isPackage).events)
  await boots.flush()
  // The marker stands where a text that is cut first would keep half of it.
  const long = `${'x'.repeat(190)} marker-4711 tok3n`
  for (const text of ['root is marker-4711', long, `error: ${long}`, 'start: a/marker-4711: x'])
    boots.sink(logged(text))
  const [boot] = await boots.list({ limit: 5 })
  expect(asked).toEqual(new Set(['web01']))
  expect(logOf(boot as Boot)?.count).toBe(4)
  expect(JSON.stringify([boot, boots.eventsAfter(0)])).not.toMatch(/marker|tok3n/)
  await boots.close()
  expect(JSON.stringify(await store.boots.list({ limit: 5 }))).not.toMatch(/marker|tok3n/)
  await store.close()
})

test('100,000 lines, and lines of 100,000 addresses, push out no other event and leave one step', async () => {
  const { boots, feed } = recorder({ mostWaiting: 600 })
  const store = memoryStore()
  await boots.open(store.boots)
  feed(before(recording, isPackage).events)
  await boots.flush()
  const heapBefore = process.memoryUsage().heapUsed
  for (let n = 0; n < 100_000; n++)
    boots.sink(logged(`Installing p${n}.x86_64 (${n % 1000}/1000) ${'y'.repeat(1000)}`))
  for (let n = 0; n < 100_000; n++)
    boots.sink({ ...logged('x'.repeat(1000)), client: `10.${n >> 16}.${(n >> 8) % 256}.${n % 256}` } as Event)
  expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(80 * 2 ** 20)
  // All that is left of the recording finds its place.
  feed(recording.events.slice(before(recording, isPackage).events.length))
  const all = await boots.list({ limit: 100 })
  expect(all.filter(({ guest }) => guest === 'web01')).toMatchObject([{ state: 'done' }])
  expect(all.some((boot) => boot.steps.some(({ kind, count }) => kind === 'log' && count === 100_000))).toBe(
    true,
  )
  expect(boots.lost).toBeGreaterThan(99_000)
  await boots.close()
})

test('an installer that logs without end takes few events from others, and a new fault is told at once', async () => {
  const { boots, feed } = recorder()
  await boots.open(memoryStore().boots)
  feed(before(recording, isPackage).events)
  const told: BootEvent[] = []
  boots.subscribe((event) => told.push(event))
  for (let n = 0; n < 50; n++) {
    boots.sink(logged(`Installing p${n}.x86_64 (${n}/50)`))
    await boots.flush()
  }
  const isLog = ({ steps }: BootEvent): boolean => steps.some(({ kind }) => kind === 'log')
  expect(told.filter(isLog)).toHaveLength(1)
  boots.sink(logged('error: no disk'))
  await boots.flush()
  expect(told.filter(isLog)).toHaveLength(2)
  // What was kept back is told in the end.
  boots.sink(logged('bye'))
  await boots.close()
  expect(told.at(-1)?.steps).toMatchObject([{ kind: 'log', words: 'anaconda: bye' }])
})
