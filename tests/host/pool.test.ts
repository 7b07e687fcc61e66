import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { forEachAtOnce } from '../../server/host/pool.ts'

test('items begin in order, and at most the given number at a time', async () => {
  const begun: number[] = []
  let running = 0
  let most = 0
  await forEachAtOnce([0, 1, 2, 3, 4, 5, 6], 3, async (item) => {
    begun.push(item)
    most = Math.max(most, ++running)
    await turn()
    running--
  })
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6])
  expect(most).toBe(3)
})

test('after a failure nothing new begins, and it is thrown when all work has ended', async () => {
  const begun: number[] = []
  const ended: number[] = []
  const work = async (item: number) => {
    begun.push(item)
    if (item === 0) throw new Error('first')
    for (let turns = 0; turns < 5; turns++) await turn()
    ended.push(item)
    if (item === 1) throw new Error('second')
  }
  await expect(forEachAtOnce([0, 1, 2, 3, 4], 3, work)).rejects.toThrow('first')
  expect(begun).toEqual([0, 1, 2])
  expect(ended).toEqual([1, 2])
})

test('after an abort nothing new begins', async () => {
  const aborter = new AbortController()
  const begun: number[] = []
  const work = async (item: number) => {
    begun.push(item)
    aborter.abort(new Error('cancelled'))
  }
  await expect(forEachAtOnce([0, 1, 2], 1, work, aborter.signal)).rejects.toThrow('cancelled')
  expect(begun).toEqual([0])
})

test('without items there is nothing to do', async () => {
  await expect(forEachAtOnce([], 2, () => Promise.reject(new Error('called')))).resolves.toBeUndefined()
})
