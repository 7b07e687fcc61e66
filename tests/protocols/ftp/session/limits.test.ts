import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { CommandRate, LoginGuard } from '../../../../server/protocols/ftp/session/limits.ts'

beforeEach(() => void vi.useFakeTimers({ now: 0 }))
afterEach(() => void vi.useRealTimers())

describe('the login guard', () => {
  test('lets each address fail a number of times in a minute, whatever others do', () => {
    const guard = new LoginGuard(2)
    guard.failed('10.0.0.1')
    expect(guard.allows('10.0.0.1')).toBe(true)
    guard.failed('10.0.0.1')
    expect(guard.allows('10.0.0.1')).toBe(false)
    expect(guard.allows('10.0.0.2')).toBe(true)
  })

  test('counts the minute from the first failure: later failures do not prolong it', () => {
    const guard = new LoginGuard(2)
    vi.advanceTimersByTime(1000)
    guard.failed('10.0.0.1')
    vi.advanceTimersByTime(50_000)
    guard.failed('10.0.0.1')
    guard.failed('10.0.0.1')
    expect(guard.allows('10.0.0.1')).toBe(false)
    vi.advanceTimersByTime(11_000)
    expect(guard.allows('10.0.0.1')).toBe(true)
  })

  test('holds at most ten thousand addresses', () => {
    const guard = new LoginGuard(1)
    for (let i = 0; i < 10_500; i++) guard.failed(`address ${i}`)
    expect(guard.size).toBe(10_000)
    expect(guard.allows('address 9999')).toBe(false)
    expect(guard.allows('address 10000')).toBe(true)
    guard.close()
  })
})

test('commands beyond the rate wait for their turn', async () => {
  const rate = new CommandRate(10)
  for (let i = 0; i < 10; i++) await rate.turn()
  const turns: number[] = []
  const waiting = [rate.turn(), rate.turn()].map((turn, i) => turn.then(() => turns.push(i)))
  await vi.advanceTimersByTimeAsync(99)
  expect(turns).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(turns).toEqual([0])
  await vi.advanceTimersByTimeAsync(100)
  await Promise.all(waiting)
  expect(turns).toEqual([0, 1])
})
