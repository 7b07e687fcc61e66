import { expect, test } from 'vitest'
import { bytes, duration } from '../../server/events/units.ts'

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [1434, '1.4 KiB'],
  [64 * 1024 ** 2, '64 MiB'],
  [150 * 1024 ** 2, '150 MiB'],
  [9.3 * 1024 ** 3, '9.3 GiB'],
  [5000 * 1024 ** 4, '5000 TiB'],
])('%d bytes read as %s', (count, text) => {
  expect(bytes(count)).toBe(text)
})

test.each([
  [0.4, '0 ms'],
  [999, '999 ms'],
  [1200, '1.2 s'],
  [59_900, '59.9 s'],
  [125_000, '2 min 5 s'],
])('%d ms read as %s', (ms, text) => {
  expect(duration(ms)).toBe(text)
})
