import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createGuestIndex } from '../../server/core/guest/match.ts'
import { GuestHistory } from '../../server/machines/history.ts'
import { reportToken } from '../../server/machines/token.ts'
import { openStore, storeFile } from '../../server/store/sqlite/open.ts'
import { makeGuest } from '../support/boot-inputs.ts'

test('doubt that cannot be stored stays in force, and is stored when that is possible again', async () => {
  const data = mkdtempSync(join(tmpdir(), 'treeboot-records-'))
  const guests = createGuestIndex([
    makeGuest('web01', { macs: ['52:54:00:aa:bb:01'] }),
    makeGuest('web02', { macs: ['52:54:00:aa:bb:02'] }),
  ])
  const store = await openStore({ data })
  const history = new GuestHistory({ guests: () => guests, events: () => {}, clock: Date.now })
  onTestFinished(async () => {
    await history.close()
    await store.close()
    rmSync(data, { recursive: true, force: true })
  })
  const sql = (text: string): void => {
    const raw = new Database(storeFile(data))
    raw.exec(text)
    raw.close()
  }
  await history.open(store, { witnesses: [], acceptNew: true, installsUnknown: () => false })
  expect(history.stateOf('web02')?.state).toBe('install')

  sql("create trigger full before insert on steps begin select raise(fail, 'the disk is full'); end")
  const token = reportToken(await store.secret(), 'web01', 3)
  const installed = { report: 'installed', token, client: '10.0.0.7' } as const
  const later = { ...installed, local: false, isForwarded: false, needsToken: true }
  const web01 = guests.byName('web01') ?? makeGuest('web01')
  await expect(history.report(web01, later)).rejects.toMatchObject({ kind: 'unavailable' })
  for (let n = 0; n < 3; n++) {
    await history.fresh()
    expect(history.stateOf('web02')).toMatchObject({ state: 'held', hold: 'old store' })
  }
  sql('drop trigger full')
  await history.fresh()
  expect((await store.states()).get('web02')).toMatchObject({ state: 'held', hold: 'old store' })
  expect((await store.past()).doubt).toBe('old store')
  await history.report(web01, later)
  expect(history.stateOf('web01')).toMatchObject({ state: 'installed', install: 3 })
})

test.each(['web01', 'another machine'])('doubt that holds %s costs a request nothing', async (installing) => {
  const data = mkdtempSync(join(tmpdir(), 'treeboot-records-'))
  const index = createGuestIndex([makeGuest('web01', { macs: ['52:54:00:aa:bb:01'] })])
  const byName = vi.fn(index.byName)
  const guests = { ...index, byName }
  const store = await openStore({ data })
  await store.record([
    {
      kind: 'add',
      guest: installing,
      identity: { macs: [] },
      state: { state: 'install', sinceMs: 0, install: 0 },
    },
    {
      kind: 'add',
      guest: 'web01',
      identity: { macs: [] },
      state: { state: 'local', sinceMs: 0, install: 0 },
    },
  ])
  const history = new GuestHistory({ guests: () => guests, events: () => {}, clock: Date.now })
  onTestFinished(async () => {
    await history.close()
    await store.close()
    rmSync(data, { recursive: true, force: true })
  })
  await history.open(store, { witnesses: ['damaged'], acceptNew: false, installsUnknown: () => false })
  await history.fresh()
  expect(history.doubt()?.reason).toBe('new store')

  byName.mockClear()
  const reads = [vi.spyOn(store, 'states'), vi.spyOn(store, 'identities'), vi.spyOn(store, 'past')]
  for (let n = 0; n < 10; n++) await history.fresh()
  expect([byName, ...reads].map((each) => each.mock.calls.length)).toEqual([0, 0, 0, 0])

  const other = await openStore({ data })
  await other.record([{ kind: 'doubt', doubt: undefined }])
  await other.close()
  await history.fresh()
  expect(history.doubt()).toBeUndefined()
})

test('a MAC that a guest gave up is remembered across a start, and keeps the disk of its next guest', async () => {
  const data = mkdtempSync(join(tmpdir(), 'treeboot-records-'))
  onTestFinished(() => rmSync(data, { recursive: true, force: true }))
  const [a, c] = ['52:54:00:aa:bb:0a', '52:54:00:aa:bb:0c']
  /** One run of a server with these guests. */
  const served = async (guests: Record<string, string>, local?: string) => {
    const index = createGuestIndex(
      Object.entries(guests).map(([name, mac]) => makeGuest(name, { macs: [mac] })),
    )
    const store = await openStore({ data })
    const history = new GuestHistory({ guests: () => index, events: () => {}, clock: Date.now })
    await history.open(store, { witnesses: [], acceptNew: true, installsUnknown: () => false })
    if (local !== undefined) await history.order(local, { type: 'local' })
    const states = Object.keys(guests).map((name) => history.stateOf(name))
    await history.close()
    await store.close()
    return states
  }
  await served({ web01: a }, 'web01')
  await served({ web01: c })
  expect(await served({ web01: c, web02: a })).toMatchObject([
    { state: 'local' },
    { state: 'held', hold: 'renamed' },
  ])
})
