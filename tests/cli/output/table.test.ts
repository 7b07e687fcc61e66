import { expect, test } from 'vitest'
import { table } from '../../../server/cli/output/table.ts'

test('what others have said gives no orders to a terminal and begins no line', () => {
  expect(table([['\x1b[31mred', 'two\nlines', 'c1 \x9b']])).toBe('?[31mred  two?lines  c1 ?\n')
})

test('columns line up and no line ends in blanks', () => {
  expect(
    table([
      ['http', '0.0.0.0:8080', ''],
      ['tftp', ':69', 'port 69'],
    ]),
  ).toBe('http  0.0.0.0:8080\ntftp  :69           port 69\n')
  expect(table([])).toBe('')
})

test('a coloured cell is as wide as its text, and what stands in it gives no orders', () => {
  const green = { text: 'ready\x1b', begin: '\x1b[32m', end: '\x1b[0m' }
  expect(
    table([
      [green, 'a'],
      ['verifying', 'b'],
    ]),
  ).toBe('\x1b[32mready?\x1b[0m     a\nverifying  b\n')
})
