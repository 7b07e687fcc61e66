import { describe, expect, test } from 'vitest'
import { nextState } from '../../server/core/guest/next-state.ts'
import type { UnknownMachine } from '../../server/core/guest/seen-machine.ts'
import type { Change, HistoryEntry } from '../../server/core/guest/state.ts'
import { historyKept, type Store, unknownMachinesKept } from '../../server/store/store.ts'

const machine = (n: number, more: Partial<UnknownMachine> = {}): UnknownMachine => ({
  id: `52:54:00:00:${hex(n >> 8)}:${hex(n & 255)}`,
  mac: `52:54:00:00:${hex(n >> 8)}:${hex(n & 255)}`,
  firstMs: n,
  lastMs: n,
  count: 1,
  ...more,
})

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}

const armed = (atMs: number) => (life: Parameters<typeof nextState>[0]) =>
  nextState(life, { type: 'install-once' }, atMs)

/** The suite that every store passes. `make` returns an empty store, and the suite closes it. */
export function storeContract(name: string, make: () => Promise<Store>): void {
  async function use(work: (store: Store) => Promise<void>): Promise<void> {
    const store = await make()
    try {
      await work(store)
    } finally {
      await store.close()
    }
  }

  describe(`${name}: guests`, () => {
    test('begins with nothing', () =>
      use(async (store) => {
        expect(await store.states()).toEqual(new Map())
        expect(await store.history('web01')).toEqual([])
        expect(await store.unknownMachines()).toEqual([])
      }))

    test('a change is decided on the stored state, and saved with its step', () =>
      use(async (store) => {
        expect(await store.change('web01', () => undefined)).toBeUndefined()
        const offered = {
          type: 'offered',
          tree: 'f40',
          treeSetting: '{"id":"f40"}',
          client: '10.0.0.7',
        } as const
        const life = await store.change('web01', (before) => {
          expect(before).toBeUndefined()
          return nextState(before, offered, 1_000)
        })
        expect(life).toMatchObject({
          state: 'install',
          install: 0,
          offers: [{ tree: 'f40', firstMs: 1_000 }],
        })
        const again = await store.change('web01', (before) => {
          expect(before).toEqual(life)
          return armed(2_000)(before)
        })
        expect(again).toMatchObject({ state: 'install', sinceMs: 2_000, install: 1 })
        expect(await store.states()).toEqual(new Map([['web01', again]]))
        expect((await store.history('web01')).map(({ kind }) => kind)).toEqual(['offered', 'armed'])
        expect(await store.history('web01', 1)).toEqual([
          { atMs: 2_000, install: 1, kind: 'armed', detail: '', client: '' },
        ])
      }))

    test('simultaneous changes are all saved, each on the result of the one before', () =>
      use(async (store) => {
        const names = ['web01', 'web02', "o'brien", 'größe']
        await Promise.all(Array.from({ length: 40 }, (_, n) => store.change(names[n % 4] ?? '', armed(n))))
        const lives = await store.states()
        for (const each of names) expect(lives.get(each)?.install).toBe(10)
        expect((await store.history('web02')).map((step) => step.install)).toEqual([
          1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
        ])
      }))

    test('of a long history the newest steps are kept, and other guests keep theirs', () =>
      use(async (store) => {
        const says =
          (n: number) =>
          (life: Parameters<typeof nextState>[0]): Change | undefined =>
            nextState(life, { type: 'reported', report: 'progress', client: '10.0.0.7', detail: `${n}` }, n)
        await store.change('quiet', says(0))
        await Promise.all(Array.from({ length: historyKept + 50 }, (_, n) => store.change('chatty', says(n))))
        const story = await store.history('chatty')
        expect(story).toHaveLength(historyKept)
        expect(story.at(-1)?.detail).toBe(`${historyKept + 49}`)
        expect(await store.history('quiet')).toHaveLength(1)
      }))

    test('a step may have any text', () =>
      use(async (store) => {
        const detail = `"'; drop table steps; -- \u0000 ä €`
        const report = { type: 'reported', report: 'progress', client: '', detail } as const
        await store.change('web01', (life) => nextState(life, report, 1))
        expect((await store.history('web01')).map((step: HistoryEntry) => step.detail)).toEqual([detail])
      }))
  })

  describe(`${name}: unknown machines`, () => {
    test('facts of a machine are merged, and the latest machine comes first', () =>
      use(async (store) => {
        const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3132'
        await store.addUnknownMachines([
          machine(1, { firstMs: 10, lastMs: 10, firmware: 'bios' }),
          machine(2),
        ])
        await store.addUnknownMachines([machine(1, { firstMs: 20, lastMs: 20, uuid, count: 3 })])
        expect(await store.unknownMachines()).toEqual([
          machine(1, { firstMs: 10, lastMs: 20, firmware: 'bios', uuid, count: 4 }),
          machine(2),
        ])
      }))

    test('only the newest machines are kept', () =>
      use(async (store) => {
        await store.addUnknownMachines(Array.from({ length: unknownMachinesKept + 30 }, (_, n) => machine(n)))
        const kept = await store.unknownMachines()
        expect(kept).toHaveLength(unknownMachinesKept)
        expect(kept.at(-1)?.lastMs).toBe(30)
      }))

    test('a machine can be removed once', () =>
      use(async (store) => {
        await store.addUnknownMachines([machine(1)])
        expect(await store.forgetUnknownMachine(machine(1).id)).toBe(true)
        expect(await store.forgetUnknownMachine(machine(1).id)).toBe(false)
        expect(await store.unknownMachines()).toEqual([])
      }))
  })

  test(`${name}: the secret stays the same`, () =>
    use(async (store) => {
      const [one, two] = await Promise.all([store.secret(), store.secret()])
      expect(one).toHaveLength(32)
      expect(two).toEqual(one)
      expect(await store.secret()).toEqual(one)
    }))
}
