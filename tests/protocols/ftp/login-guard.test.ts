import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LoginGuard } from '../../../server/protocols/ftp/login-guard.ts'

let guard: LoginGuard

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 0 })
  guard = new LoginGuard(2)
})
afterEach(() => {
  guard.close()
  vi.useRealTimers()
})

test('an address may fail so often in a minute, whatever others do', () => {
  guard.failed('10.0.0.1')
  expect(guard.allows('10.0.0.1')).toBe(true)
  guard.failed('10.0.0.1')
  expect(guard.allows('10.0.0.1')).toBe(false)
  expect(guard.allows('10.0.0.2')).toBe(true)
})

test('the minute begins with the first failure and is not drawn out by more', () => {
  guard.failed('10.0.0.1')
  vi.setSystemTime(50_000)
  guard.failed('10.0.0.1')
  expect(guard.allows('10.0.0.1')).toBe(false)
  vi.setSystemTime(61_000)
  expect(guard.allows('10.0.0.1')).toBe(true)
})

test('ten thousand addresses fill no more memory than that', () => {
  for (let i = 0; i < 10_500; i++) guard.failed(`address ${i}`)
  guard.failed('address 0')
  expect(guard.allows('address 0')).toBe(false)
  guard.failed('address 10400')
  guard.failed('address 10400')
  expect(guard.allows('address 10400')).toBe(true)
})
