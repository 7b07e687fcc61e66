import { expect, test } from 'vitest'
import { LineRates } from '../../../server/protocols/syslog/rates.ts'

const admitted = (
  rates: LineRates,
  count: number,
  line: (n: number) => readonly [string, number],
  nowMs: number,
) =>
  Array.from({ length: count }, (_, n) => line(n)).filter(([address, bytes]) =>
    rates.admit(address, bytes, nowMs),
  ).length

test('an address has 200 lines and 256 KiB in a second, and twenty times as many at once', () => {
  const rates = new LineRates(0)
  const own = (bytes: number) => () => ['10.0.0.1', bytes] as const
  expect(admitted(rates, 5000, own(100), 0)).toBe(4000)
  expect(admitted(rates, 5000, own(100), 1000)).toBe(200)
  const others = new LineRates(0)
  expect(admitted(others, 1000, own(8192), 0)).toBe(640)
  expect(admitted(others, 1000, own(8192), 1000)).toBe(32)
})

test('all addresses together have 4000 lines in a second, and twice as many at once', () => {
  const rates = new LineRates(0)
  const each = (n: number) => [`10.0.${n % 50}.1`, 100] as const
  expect(admitted(rates, 20_000, each, 0)).toBe(8000)
  expect(admitted(rates, 20_000, each, 1000)).toBe(4000)
})

test('100,000 addresses leave as many in memory as are remembered', () => {
  const rates = new LineRates(0)
  admitted(rates, 100_000, (n) => [`10.${n >> 16}.${(n >> 8) % 256}.${n % 256}`, 100], 0)
  expect(rates.addresses).toBe(4096)
})
