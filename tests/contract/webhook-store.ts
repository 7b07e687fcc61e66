import { describe, expect, test } from 'vitest'
import type { Store } from '../../server/store/store.ts'
import { droppedAnswer, webhookEndedKept, webhookWaitingKept } from '../../server/store/webhooks.ts'

const delivery = (n: number, hook = 'a') => ({ hook, kind: 'guests', atMs: n, body: `{"n":${n}}` })

/** What every store does with deliveries to webhooks. */
export function webhookStoreContract(name: string, make: () => Promise<Store>): void {
  const use = async (work: (store: Store['webhooks']) => Promise<void>): Promise<void> => {
    const store = await make()
    try {
      await work(store.webhooks)
    } finally {
      await store.close()
    }
  }

  describe(`${name}: deliveries`, () => {
    test('the one that is due first comes first, and each webhook has its own', () =>
      use(async (webhooks) => {
        await webhooks.add([delivery(5), delivery(3), delivery(4, 'b')])
        const first = await webhooks.next('a')
        expect(first).toEqual({ ...delivery(3), id: 2, state: 'waiting', tries: 0, nextMs: 3 })
        const tried = { id: 2, state: 'waiting', tries: 1, nextMs: 9, lastMs: 4, answer: 'HTTP 500' } as const
        await webhooks.tried(tried)
        expect((await webhooks.next('a'))?.id).toBe(1)
        await webhooks.tried({ id: 1, state: 'delivered', tries: 1, nextMs: 5, lastMs: 5 })
        expect(await webhooks.next('a')).toEqual({ ...delivery(3), ...tried })
        expect((await webhooks.next('b'))?.id).toBe(3)
        expect(await webhooks.next('c')).toBeUndefined()
        expect(await webhooks.counts('a')).toEqual({ waiting: 1, delivered: 1, failed: 0 })
        expect((await webhooks.list({ hook: 'a', limit: 9 })).map(({ id }) => id)).toEqual([2, 1])
        expect((await webhooks.list({ hook: 'a', limit: 9, before: 2 })).map(({ id }) => id)).toEqual([1])
        await webhooks.keepOnly(['b'])
        expect(await webhooks.counts('a')).toEqual({ waiting: 0, delivered: 0, failed: 0 })
        expect((await webhooks.next('b'))?.id).toBe(3)
        await webhooks.keepOnly([])
        expect(await webhooks.next('b')).toBeUndefined()
      }))

    test('both those that wait and those that ended are bounded, and the oldest make room', () =>
      use(async (webhooks) => {
        await webhooks.add([delivery(0, 'b')])
        const many = Array.from({ length: webhookWaitingKept + webhookEndedKept + 7 }, (_, n) => delivery(n))
        await webhooks.add(many)
        expect(await webhooks.counts('a')).toEqual({
          waiting: webhookWaitingKept,
          delivered: 0,
          failed: webhookEndedKept,
        })
        const all = await webhooks.list({ hook: 'a', limit: 1e6 })
        expect(all.at(-1)).toMatchObject({ atMs: 7, state: 'failed', answer: droppedAnswer })
        expect((await webhooks.next('a'))?.atMs).toBe(webhookEndedKept + 7)
        expect((await webhooks.counts('b')).waiting).toBe(1)
      }))
  })
}
