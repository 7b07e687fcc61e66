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
