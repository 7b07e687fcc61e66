import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Event } from '../../../server/events/bus.ts'
import { openStore } from '../../../server/store/sqlite/open.ts'
import { BootRecorder } from '../../../server/timeline/recorder.ts'
import { recordingOf } from '../../support/boots.ts'
import { treebootIn } from '../../support/cli.ts'

/** The commands on a store that has recorded boots, beside which no server runs. */

const folder = mkdtempSync(join(tmpdir(), 'treeboot-cli-boots-'))
const empty = join(folder, 'empty')

beforeAll(async () => {
  mkdirSync(empty)
  for (const at of [folder, empty]) writeFileSync(join(at, 'config.yaml'), '{}\n')
  const store = await openStore({ data: join(folder, 'data') })
  // Ten minutes ago.
  let nowMs = Date.now() - 600_000
  const recorder = new BootRecorder({ keepMs: () => 1e12, onTrouble: () => undefined, clock: () => nowMs })
  await recorder.open(store.boots)
  for (const name of ['direct', 'proxy-debian-grub'])
    for (const { event } of recordingOf(name).events) {
      nowMs += 10
      const mine = JSON.stringify(event).replaceAll('web01', name === 'direct' ? 'web02' : 'web01')
      recorder.sink(JSON.parse(mine.replaceAll('192.0.2.1', name === 'direct' ? '192.0.3.1' : '192.0.2.1')))
    }
  for (const { event } of recordingOf('proxy-bios-ipxe').events) recorder.sink(asWeb03(event))
  await recorder.flush()
  nowMs += 60_000
  for (const event of worseBoot()) {
    nowMs += 10
    recorder.sink(event)
  }
  await recorder.close()
  await store.close()
})

/** The same machine again, whose kernel comes slowly and whose answer file never does. */
function worseBoot(): Event[] {
  return recordingOf('proxy-bios-ipxe').events.flatMap(({ event }) => {
    if (event.type === 'dhcp') return [asWeb03({ ...event, xid: event.xid + 1 })]
    if (event.type !== 'served' || event.path.includes('/ks/')) return []
    return [asWeb03(event.path.includes('vmlinuz') ? { ...event, ms: 12_000 } : event)]
  })
}

function asWeb03(event: Event): Event {
  const text = JSON.stringify(event).replaceAll('web01', 'web03').replaceAll('aa:bb:01', 'aa:bb:03')
  return JSON.parse(text.replaceAll('192.0.2.1', '192.0.4.1')) as Event
}
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('boots lists machines with their state as it is now', async () => {
  const { code, out } = await treebootIn(folder, 'boots')
  expect(code).toBe(0)
  expect(out).toMatch(/^ID +STATE +MACHINE/)
  expect(out).toMatch(/done +web02 +installed/)
  // It was running when the server stopped.
  expect(out).toMatch(/gone +web01 +It loaded GRUB/)
})

test('boots --state and --guest choose, --json has the reason in words', async () => {
  const { out } = await treebootIn(folder, 'boots', '--state', 'gone', '--json')
  expect(JSON.parse(out)).toMatchObject([
    {
      guest: 'web01',
      state: 'gone',
      reason: { id: 'grub-without-configuration', try: expect.stringContaining('loader: ipxe') },
    },
  ])
  expect(await treebootIn(folder, 'boots', '--guest', 'web09')).toMatchObject({
    code: 3,
    out: 'no boot yet\n',
  })
  expect((await treebootIn(folder, 'boots', '--state', 'fine')).code).toBe(2)
})

test('boots show has each step, why it ended and what to try', async () => {
  const { out: listed } = await treebootIn(folder, 'boots', '--json', '--guest', 'web01')
  const [{ id }] = JSON.parse(listed) as [{ id: number }]
  const { code, out } = await treebootIn(folder, 'boots', 'show', String(id))
  expect(code).toBe(0)
  for (const text of [
    /^boot \d+ of web01 +gone/,
    /\nSeen: +It loaded GRUB/,
    /\nTry: +\S/,
    /\nv +DHCP offered/,
    /\nv +loader/,
  ])
    expect(out).toMatch(text)
  const { out: asJson } = await treebootIn(folder, 'boots', 'show', String(id), '--json')
  expect(JSON.parse(asJson)).toMatchObject({
    id,
    steps: expect.arrayContaining([expect.objectContaining({ kind: 'loader' })]),
  })
  expect(await treebootIn(folder, 'boots', 'show', '999')).toMatchObject({ code: 3 })
  expect(await treebootIn(folder, 'boots', 'show', 'x')).toMatchObject({ code: 2 })
})

test('boots show says what is not as in the last good boot of the guest', async () => {
  const { out: listed } = await treebootIn(folder, 'boots', '--json', '--guest', 'web03')
  const [second, first] = (JSON.parse(listed) as { id: number }[]).map(({ id }) => id).sort((a, b) => b - a)
  const { out } = await treebootIn(folder, 'boots', 'show', String(second))
  const when = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d'
  expect(out).toMatch(new RegExp(`\nNot as in the last good boot, ${first} of ${when}:\n`))
  expect(out).toMatch(/\n {2}kernel took 12\.0 s, \d+ ms then\n/)
  expect(out).toMatch(/\n {2}answer file did not come\n/)
  const { out: asJson } = await treebootIn(folder, 'boots', 'show', String(second), '--json')
  expect(JSON.parse(asJson).comparison).toMatchObject({ boot: first })
  expect((await treebootIn(folder, 'boots', 'show', String(first))).out).not.toContain('last good boot')
})

test('watch --once prints one line for each step and each state, of one guest when it is named', async () => {
  const { code, out } = await treebootIn(folder, 'watch', '--once')
  expect(code).toBe(0)
  expect(out).toMatch(/^\d\d:\d\d:\d\d {2}web02 {2}answer file /m)
  expect(out).toMatch(/^\d\d:\d\d:\d\d {2}web02 {2}done$/m)
  expect(out).not.toContain('\x1b')
  const { out: one } = await treebootIn(folder, 'watch', 'web02', '--once', '--json')
  const events = one
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { guest: string })
  expect(new Set(events.map(({ guest }) => guest))).toEqual(new Set(['web02']))
})

test('without a store there is no boot, and nothing to watch', async () => {
  expect(await treebootIn(empty, 'boots')).toMatchObject({ code: 3, out: 'no boot yet\n' })
  expect(await treebootIn(empty, 'watch', '--once')).toMatchObject({ code: 3 })
})
