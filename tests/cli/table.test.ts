import { expect, test } from 'vitest'
import { table } from '../../server/cli/table.ts'

test('columns line up and no line ends in blanks', () => {
  expect(
    table([
      ['http', '0.0.0.0:8080', ''],
      ['tftp', ':69', 'port 69'],
    ]),
  ).toBe('http  0.0.0.0:8080\ntftp  :69           port 69\n')
  expect(table([])).toBe('')
})
