import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { BufferPool } from '../../server/files/buffers.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const idleMs = 1000

/** Lends so many buffers at once, and takes them back. */
function use(pool: BufferPool, count: number): void {
  const loans = Array.from({ length: count }, () => pool.take())
  for (const loan of loans) pool.give(loan)
}

test('the buffer that was returned last is lent first, and only so many are big', () => {
  const pool = new BufferPool(2, idleMs)
  const [first, second, third] = [pool.take(), pool.take(), pool.take()]
  expect([first.big, second.big, third.big]).toEqual([true, true, false])
  pool.give(second)
  pool.give(first)
  pool.give(third)
  expect([pool.lent, pool.free]).toEqual([0, 2])
  expect(pool.take().bytes).toBe(first.bytes)
})

test('buffers that nobody needed for a while are given up, the others stay', () => {
  const pool = new BufferPool(10, idleMs)
  use(pool, 8)
  for (let round = 0; round < 3; round++) {
    vi.advanceTimersByTime(idleMs / 2)
    use(pool, 3)
    vi.advanceTimersByTime(idleMs / 2)
  }
  expect(pool.free).toBe(3)
  vi.advanceTimersByTime(2 * idleMs)
  expect(pool.free).toBe(0)
  // No timer is left behind.
  expect(vi.getTimerCount()).toBe(0)
  use(pool, 1)
  expect(pool.free).toBe(1)
})
