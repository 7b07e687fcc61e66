import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { BootEvent } from '../../server/core/boots/boot-event.ts'
import type { Event } from '../../server/events/bus.ts'
import { type BootStore, bootEventsKept } from '../../server/store/boots.ts'
import { memoryStore } from '../../server/store/memory/store.ts'
import { openStore } from '../../server/store/sqlite/open.ts'
import { BootRecorder, type RecorderOptions } from '../../server/timeline/recorder.ts'
import { epochMs, recordingOf } from '../support/boots.ts'

const folder = mkdtempSync(join(tmpdir(), 'treeboot-boots-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let nowMs = epochMs
const dayMs = 86_400_000

function recorder(more: Partial<RecorderOptions> = {}) {
  const troubles: string[] = []
  const made = new BootRecorder({
    keepMs: () => 90 * dayMs,
    onTrouble: (error) => troubles.push(String(error)),
    clock: () => nowMs,
    ...more,
  })
  return { recorder: made, troubles }
}

function feed(sink: (event: Event) => void, name: string, upTo = Number.POSITIVE_INFINITY): void {
  const start = nowMs
  for (const { at, event } of recordingOf(name).events.slice(0, upTo)) {
    nowMs = start + at
    sink(event)
  }
}

test('a boot is kept, listed and read, and its events have growing numbers', async () => {
  const { recorder: boots } = recorder()
  await boots.open(memoryStore().boots)
  const seen: BootEvent[] = []
  const end = boots.subscribe((event) => seen.push(event))
  feed(boots.sink, 'proxy-bios-ipxe', 6)
  await boots.flush()
  feed(boots.sink, 'proxy-bios-ipxe')
  const [boot] = await boots.list({ guest: 'web01', limit: 10 })
  expect(boot).toMatchObject({ state: 'done', guest: 'web01' })
  expect(await boots.read(boot?.id ?? 0)).toEqual(boot)
  expect(await boots.list({ state: 'stalled', limit: 10 })).toEqual(
    await boots.list({ guest: 'web02', limit: 10 }),
  )
  const numbers = seen.map(({ seq }) => seq)
  expect(numbers.length).toBeGreaterThan(1)
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
  expect(seen.at(-1)).toMatchObject({ state: 'done', machine: 'web01' })
  expect(boots.eventsAfter(numbers[0] ?? 0)).toEqual(seen.slice(1))
  expect(boots.eventsAfter(boots.newestEvent + 5)).toBeUndefined()
  end()
  await boots.close()
})

test('more events than can wait are lost with a count, and it is said once', async () => {
  const { recorder: boots, troubles } = recorder({ mostWaiting: 100 })
  await boots.open(memoryStore().boots)
  const event: Event = { type: 'report', guest: 'web01', client: '10.0.0.7', state: 'progress' }
  for (let n = 0; n < 5000; n++) boots.sink(event)
  await boots.flush()
  expect(boots.lost).toBe(4900)
  expect(troubles).toEqual(['Error: 4900 events are lost: more came than could be kept'])
  expect(boots.problems()).toMatchObject([{ severity: 'warning', where: 'boots' }])
  nowMs += 3_600_001
  expect(boots.problems()).toEqual([])
  await boots.close()
})

test('events that say nothing of boots are not even kept', async () => {
  const { recorder: boots } = recorder({ mostWaiting: 1 })
  await boots.open(memoryStore().boots)
  for (let n = 0; n < 100; n++) boots.sink({ type: 'stop', message: 'x' })
  expect(boots.lost).toBe(0)
  await boots.close()
})

test('a running boot survives a restart of the server, and goes on', async () => {
  const data = join(folder, 'restart')
  const first = await openStore({ data })
  const { recorder: before } = recorder()
  await before.open(first.boots)
  feed(before.sink, 'proxy-bios-ipxe', 8)
  await before.close()
  const last = before.newestEvent
  await first.close()
  // The server was away for longer than a kernel is quiet.
  nowMs += 5 * 60_000
  const second = await openStore({ data })
  const { recorder: after } = recorder()
  await after.open(second.boots)
  expect(await after.list({ limit: 10 })).toMatchObject([
    { state: 'stalled', reason: 'kernel-quiet', guest: 'web01' },
  ])
  for (const { event } of recordingOf('proxy-bios-ipxe').events.slice(8)) after.sink(event)
  expect(await after.list({ limit: 10 })).toMatchObject([{ state: 'done', guest: 'web01' }])
  // No number is given twice, and the events from before are still known.
  expect(after.newestEvent).toBeGreaterThan(last)
  expect(after.eventsAfter(last)?.length).toBeGreaterThan(0)
  await after.close()
  await second.close()
})

test('what cannot be written is tried again, and stops nothing', async () => {
  const store = memoryStore().boots
  let isFull = true
  const faulty: BootStore = Object.assign(Object.create(store) as BootStore, {
    write: (change: Parameters<BootStore['write']>[0]) =>
      isFull ? Promise.reject(new Error('database or disk is full')) : store.write(change),
    last: () => store.last(),
    open: () => store.open(),
    list: (query: Parameters<BootStore['list']>[0]) => store.list(query),
    prune: (beforeMs: number) => store.prune(beforeMs),
    eventsAfter: (seq: number, limit: number) => store.eventsAfter(seq, limit),
  })
  const { recorder: boots, troubles } = recorder()
  await boots.open(faulty)
  feed(boots.sink, 'direct')
  await boots.flush()
  expect(troubles).toEqual(['Error: database or disk is full'])
  expect(await store.list({ limit: 10 })).toEqual([])
  isFull = false
  await boots.flush()
  expect(await store.list({ limit: 10 })).toMatchObject([{ guest: 'web01', state: 'done' }])
  expect((await store.eventsAfter(0, 10)).length).toBeGreaterThan(0)
  await boots.close()
})

test('boots older than boots.keep are gone at the next start', async () => {
  const store = memoryStore().boots
  const { recorder: first } = recorder()
  await first.open(store)
  feed(first.sink, 'direct')
  await first.close()
  expect(await store.list({ limit: 10 })).toHaveLength(1)
  nowMs += 91 * dayMs
  const { recorder: second } = recorder()
  await second.open(store)
  expect(await store.list({ limit: 10 })).toEqual([])
  await second.close()
})

test('a storm of strangers costs a guest neither its boot nor its events, and few writes', async () => {
  const store = memoryStore().boots
  const { recorder: boots } = recorder({ mostWaiting: 1e6 })
  await boots.open(store)
  const ask = (n: number): Event => ({
    type: 'dhcp',
    step: 'offered',
    client: 'x',
    mac: `52:54:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`,
    xid: n,
    port: 67,
    ms: 0,
    ...(n === 5000 && { guest: 'web01' }),
  })
  const told: BootEvent[] = []
  boots.subscribe((event) => told.push(event))
  for (let n = 0; n <= 10_000; n++) boots.sink(ask(n))
  await boots.flush()
  expect(told.filter(({ guest }) => guest === 'web01')).toHaveLength(1)
  expect(told.length).toBeLessThan(1000)
  const written = await store.list({ limit: 1e6 })
  expect(written.filter(({ guest }) => guest === 'web01')).toHaveLength(1)
  expect(written.length).toBeLessThan(1000)
  await boots.close()
  // What waits is written when the server stops.
  expect((await store.list({ limit: 1e6 })).length).toBeGreaterThan(1000)
})

test('the ring of events is bounded', async () => {
  const store = memoryStore().boots
  const { recorder: boots } = recorder()
  await boots.open(store)
  for (let n = 0; n < 300; n++) {
    boots.sink({
      type: 'dhcp',
      step: 'offered',
      client: `m${n}`,
      mac: '52:54:00:00:00:01',
      xid: n,
      port: 67,
      ms: 0,
    })
    await boots.flush()
  }
  expect((await store.eventsAfter(0, 1e6)).length).toBeLessThanOrEqual(bootEventsKept)
  expect(boots.newestEvent).toBe(300)
  await boots.close()
})
