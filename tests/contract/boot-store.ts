import { describe, expect, test } from 'vitest'
import { newBoot } from '../../server/core/boots/advance.ts'
import type { Boot } from '../../server/core/boots/boot.ts'
import type { BootEvent } from '../../server/core/boots/boot-event.ts'
import { withNews } from '../../server/core/boots/steps.ts'
import { bootEventsKept, bootsOfGuestKept, bootsOfStrangersKept } from '../../server/store/boots.ts'
import type { Store } from '../../server/store/store.ts'

const boot = (id: number, more: Partial<Boot> = {}): Boot => ({
  ...newBoot(id, id * 1000),
  steps: withNews([], { kind: 'kernel', status: 'done', startMs: 1, endMs: 2, bytes: 3, what: '/vmlinuz' }),
  ...more,
})
const event = (seq: number): BootEvent => ({
  seq,
  atMs: seq,
  boot: 1,
  machine: 'web01',
  state: 'running',
  steps: [],
})
const nothing = { boots: [], removed: [], events: [] }

/** What every store does with boots. */
export function bootStoreContract(name: string, make: () => Promise<Store>): void {
  const use = async (work: (store: Store['boots']) => Promise<void>): Promise<void> => {
    const store = await make()
    try {
      await work(store.boots)
    } finally {
      await store.close()
    }
  }

  describe(`${name}: boots`, () => {
    test('a boot is as it was written, and is replaced by its next picture', () =>
      use(async (boots) => {
        const before = boot(1, { guest: 'web01', macs: ['52:54:00:00:00:01'] })
        await boots.write({ ...nothing, boots: [before] })
        expect(await boots.read(1)).toEqual(before)
        const after: Boot = { ...before, state: 'done', endMs: 9 }
        await boots.write({ ...nothing, boots: [after] })
        expect(await boots.read(1)).toEqual(after)
        expect(await boots.read(2)).toBeUndefined()
      }))

    test('lists the newest first, in pages, of one guest, since a time', () =>
      use(async (boots) => {
        const all = Array.from({ length: 50 }, (_, n) =>
          boot(n + 1, { guest: n % 2 === 0 ? 'web01' : 'web02' }),
        )
        await boots.write({ ...nothing, boots: all })
        const ids = async (query: Parameters<typeof boots.list>[0]) =>
          (await boots.list(query)).map(({ id }) => id)
        expect(await ids({ limit: 3 })).toEqual([50, 49, 48])
        expect(await ids({ limit: 3, before: 48 })).toEqual([47, 46, 45])
        expect(await ids({ limit: 2, guest: 'web01' })).toEqual([49, 47])
        expect(await ids({ limit: 9, since: 49_000 })).toEqual([50, 49])
        expect(await boots.count({})).toBe(50)
        expect(await boots.count({ guest: 'web01', since: 48_000 })).toBe(1)
      }))

    test('of a state it lists the boots that ended in it and all that run, and counts those in it', () =>
      use(async (boots) => {
        const ended: Partial<Boot> = { state: 'failed', endMs: 9 }
        await boots.write({
          ...nothing,
          boots: [boot(1, ended), boot(2), boot(3, { ...ended, state: 'done' })],
        })
        expect((await boots.list({ limit: 9, state: 'failed' })).map(({ id }) => id)).toEqual([2, 1])
        expect(await boots.count({ state: 'failed' })).toBe(1)
      }))

    test('those that are open are known, oldest first', () =>
      use(async (boots) => {
        await boots.write({ ...nothing, boots: [boot(3), boot(1), boot(2, { endMs: 5 })] })
        expect((await boots.open()).map(({ id }) => id)).toEqual([1, 3])
        await boots.write({ ...nothing, removed: [1] })
        expect((await boots.open()).map(({ id }) => id)).toEqual([3])
      }))

    test('the numbers that were given stay known when everything is gone', () =>
      use(async (boots) => {
        expect(await boots.last()).toEqual({ boot: 0, event: 0 })
        await boots.write({ boots: [boot(7)], removed: [], events: [event(12)] })
        await boots.write({ ...nothing, removed: [7] })
        await boots.prune(1e9)
        expect(await boots.last()).toEqual({ boot: 7, event: 12 })
      }))

    test('of the events the newest are kept', () =>
      use(async (boots) => {
        const events = Array.from({ length: bootEventsKept + 50 }, (_, n) => event(n + 1))
        await boots.write({ ...nothing, events })
        expect((await boots.eventsAfter(0, 2)).map(({ seq }) => seq)).toEqual([51, 52])
        expect(await boots.eventsAfter(bootEventsKept + 49, 10)).toEqual([event(bootEventsKept + 50)])
      }))

    test('of those that are too old only the oldest day goes at once: the clock may be wrong', () =>
      use(async (boots) => {
        const dayMs = 86_400_000
        const days = [1, 2, 3, 50].map((day) => boot(day, { startMs: day * dayMs }))
        await boots.write({ ...nothing, boots: days })
        const left = async () => (await boots.list({ limit: 9 })).map(({ id }) => id)
        await boots.prune(40 * dayMs)
        expect(await left()).toEqual([50, 3])
        await boots.prune(40 * dayMs)
        expect(await left()).toEqual([50])
        await boots.prune(40 * dayMs)
        expect(await left()).toEqual([50])
      }))

    test('boots of strangers push out no boot of a guest, and those of one guest none of another', () =>
      use(async (boots) => {
        const guests = [boot(1, { guest: 'web01' }), boot(2, { guest: 'web02' })]
        const strangers = Array.from({ length: bootsOfStrangersKept + 10 }, (_, n) => boot(n + 10))
        const many = Array.from({ length: bootsOfGuestKept + 10 }, (_, n) =>
          boot(n + 90_000, { guest: 'web02' }),
        )
        await boots.write({ ...nothing, boots: [...guests, ...strangers, ...many] })
        await boots.prune(0)
        expect(await boots.read(1)).toBeDefined()
        expect(await boots.read(2)).toBeUndefined()
        expect(await boots.list({ limit: 1e6 })).toHaveLength(1 + bootsOfStrangersKept + bootsOfGuestKept)
        await boots.prune(80_000_000)
        expect(await boots.list({ limit: 1e6 })).toHaveLength(bootsOfGuestKept)
      }))
  })
}
