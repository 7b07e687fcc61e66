import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { nextState } from '../../server/core/guest/next-state.ts'
import type { GuestEvent } from '../../server/core/guest/state.ts'
import type { Event } from '../../server/events/bus.ts'
import { GuestStates } from '../../server/machines/guest-states.ts'
import { openStore, storeFile } from '../../server/store/sqlite/open.ts'
import type { Store } from '../../server/store/store.ts'
import { eventually } from '../support/eventually.ts'

/** A store on a real disk, whose writes fail while a trigger of the database refuses them. */

let data = ''
let store: Store
let states: GuestStates
let events: Event[]

beforeEach(async () => {
  data = mkdtempSync(join(tmpdir(), 'treeboot-states-'))
  events = []
  store = await openStore({ data })
  await store.record([{ kind: 'add', guest: 'web01', identity: { macs: [] }, state: fresh }])
  states = new GuestStates({
    events: (event) => events.push(event),
    clock: Date.now,
    retryOf: (guest) => guest === 'again',
    onState: () => undefined,
    retryMs: 100,
  })
  await states.open(store)
  return async () => {
    await states.close()
    await store.close()
    rmSync(data, { recursive: true, force: true })
  }
})

const fresh = { state: 'install', sinceMs: 0, install: 0 } as const
const client = '10.0.0.7'
const says = (report: 'installed' | 'failed' | 'progress', detail?: string): GuestEvent => ({
  type: 'reported',
  report,
  client,
  ...(detail !== undefined && { detail }),
})
const arm: GuestEvent = { type: 'install-once' }
const local: GuestEvent = { type: 'local' }

function sql(text: string): void {
  const raw = new Database(storeFile(data))
  raw.exec(text)
  raw.close()
}
const fail = (): void =>
  sql("create trigger full before insert on steps begin select raise(fail, 'the disk is full'); end")
const mend = (): void => sql('drop trigger full')
const stored = async (guest = 'web01'): Promise<string | undefined> =>
  (await store.states()).get(guest)?.state
const troubles = (): string[] => events.flatMap((event) => (event.type === 'trouble' ? [event.message] : []))

describe('what leads to the disk', () => {
  test.each<[string, GuestEvent]>([
    ['installed', says('installed')],
    ['failed', says('failed', 'no disk')],
    ['local', local],
    ['held', { type: 'hold', reason: 'by admin' }],
  ])(
    '%s: is in force at once, is refused, and is stored when that is possible again',
    async (state, event) => {
      fail()
      await expect(states.apply('web01', event)).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringContaining('the disk is full'),
      })
      expect(states.get('web01')?.state).toBe(state)
      expect(await stored()).toBe('install')
      // What other processes write does not undo it.
      sql("update guests set since_ms = 7 where name = 'web01'")
      await states.fresh()
      expect(states.get('web01')?.state).toBe(state)
      mend()
      await eventually(async () => expect(await stored()).toBe(state), 10_000)
      expect((await store.history('web01')).map(({ kind }) => kind)).toHaveLength(1)
    },
  )

  test('is refused again when it is repeated, until the store has it', async () => {
    fail()
    await expect(states.apply('web01', says('installed'))).rejects.toThrow('the disk is full')
    await expect(states.apply('web01', says('installed'))).rejects.toThrow('the disk is full')
    mend()
    await states.apply('web01', says('installed'))
    expect(await stored()).toBe('installed')
  })

  test('is stored at the end of the server at the latest, in the order of the events', async () => {
    fail()
    const all = [says('failed', 'no disk'), says('installed'), local]
    for (const event of all) await expect(states.apply('web01', event)).rejects.toThrow()
    mend()
    await states.close()
    expect((await store.history('web01')).map(({ kind }) => kind)).toEqual(['failed', 'installed', 'local'])
  })
})

describe('what leads to an installation', () => {
  test.each<[string, string, GuestEvent]>([
    ['an order', 'web01', arm],
    ['a failure that is tried again', 'again', says('failed')],
  ])('%s: changes nothing when it cannot be stored', async (_, guest, event) => {
    await states.apply(guest, { type: 'local' })
    fail()
    await expect(states.apply(guest, event)).rejects.toMatchObject({ kind: 'unavailable' })
    expect([states.get(guest)?.state, await stored(guest)]).toEqual(['local', 'local'])
    mend()
    // Nothing is tried later.
    await states.apply(guest, says('progress'))
    expect([states.get(guest)?.state, await stored(guest)]).toEqual(['local', 'local'])
  })

  test('is in force only after the store has it', async () => {
    await states.apply('web01', local)
    const armed = states.apply('web01', arm)
    expect(states.get('web01')?.state).toBe('local')
    await armed
    expect(states.get('web01')).toMatchObject({ state: 'install', install: 1 })
  })

  test('waits for what led to the disk before, and does not overtake it', async () => {
    fail()
    await expect(states.apply('web01', says('installed'))).rejects.toThrow()
    await expect(states.apply('web01', arm)).rejects.toThrow()
    expect(states.get('web01')?.state).toBe('installed')
    mend()
    await states.apply('web01', arm)
    expect((await store.history('web01')).map(({ kind }) => kind)).toEqual(['installed', 'armed'])
  })
})

test('a mere line of history that cannot be stored is dropped', async () => {
  await states.apply('web01', says('installed'))
  fail()
  await states.apply('web01', says('progress', 'first boot'))
  mend()
  await states.apply('web01', local)
  expect((await store.history('web01')).map(({ kind }) => kind)).toEqual(['installed', 'local'])
})

test('no installation begins while the store cannot be written, and the log says it once, with the cause', async () => {
  expect(states.whyNotWritable()).toBe('the store was not written for a minute')
  await states.fresh()
  expect(states.whyNotWritable()).toBeUndefined()
  fail()
  for (let n = 0; n < 3; n++) await expect(states.apply('web01', says('installed'))).rejects.toThrow()
  expect(states.whyNotWritable()).toBe('the store cannot be written (the disk is full)')
  expect(troubles()).toEqual(['the disk is full'])
  mend()
  await eventually(() => expect(states.whyNotWritable()).toBeUndefined(), 10_000)
})

test('a guest without a record gets none by what its machine fetches', async () => {
  await states.apply('db01', { type: 'sent-to-disk', client })
  await states.apply('db01', { type: 'offered', tree: 'f40', treeSetting: '', client })
  expect(await stored('db01')).toBeUndefined()
  await states.apply('db01', says('installed'))
  expect(await stored('db01')).toBe('installed')
})

describe('what another process wrote', () => {
  let other: Store
  beforeEach(async () => {
    other = await openStore({ data })
    return () => other.close()
  })
  const keepLocal = (): Promise<unknown> =>
    other.change('web01', (before) => nextState(before, local, Date.now()), { durableFirst: true })

  test('is read by the next request when it could not be read by the first', async () => {
    await keepLocal()
    const broken = new Error('disk I/O error')
    vi.spyOn(store, 'states').mockRejectedValueOnce(broken).mockRejectedValueOnce(broken)
    await states.fresh()
    await states.fresh()
    expect(troubles()).toEqual(['disk I/O error'])
    await states.fresh()
    expect(states.get('web01')?.state).toBe('local')
  })

  test('is awaited by every request that comes while it is being read', async () => {
    await keepLocal()
    const slow = await store.states()
    vi.spyOn(store, 'states').mockImplementationOnce(async () => {
      await new Promise((resolve) => setImmediate(resolve))
      return slow
    })
    const first = states.fresh()
    await states.fresh()
    expect(states.get('web01')?.state).toBe('local')
    await first
    expect(states.get('web01')?.state).toBe('local')
  })
})
