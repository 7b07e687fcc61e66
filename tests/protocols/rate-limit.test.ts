import { expect, test } from 'vitest'
import { RateLimit } from '../../server/protocols/rate-limit.ts'

test('admits as many events as its limit, then none until the window is over', () => {
  const limit = new RateLimit(2, 1000)
  expect([0, 10, 20, 999].map((nowMs) => limit.admit(nowMs))).toEqual([true, true, false, false])
  expect([1000, 1001, 1002].map((nowMs) => limit.admit(nowMs))).toEqual([true, true, false])
})

test('the window begins with its first event, however late that comes', () => {
  const limit = new RateLimit(1, 1000)
  expect(limit.admit(5500)).toBe(true)
  expect(limit.admit(6499)).toBe(false)
  expect(limit.admit(6500)).toBe(true)
})

test('hasRoom tells without counting', () => {
  const limit = new RateLimit(1, 1000)
  expect([limit.hasRoom(0), limit.hasRoom(0), limit.admit(0)]).toEqual([true, true, true])
  expect(limit.hasRoom(500)).toBe(false)
  expect(limit.hasRoom(1000)).toBe(true)
})

test('a limit of 0 admits nothing', () => {
  const limit = new RateLimit(0, 1000)
  expect([0, 1000, 2000].map((nowMs) => limit.admit(nowMs))).toEqual([false, false, false])
})
