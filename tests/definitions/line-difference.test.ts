import { expect, test } from 'vitest'
import { lineDifference } from '../../server/definitions/line-difference.ts'

const lines = (...names: string[]) => names.map((name) => `${name}\n`).join('')

test.each([
  ['the same', 'a\n', 'a\n', []],
  ['made', '', 'a\nb\n', ['+a', '+b']],
  ['removed', 'a\n', '', ['-a']],
  ['one line', lines('a', 'b', 'c'), lines('a', 'x', 'c'), [' a', '-b', '+x', ' c']],
  ['two places', lines('a', 'b', 'c', 'd'), lines('x', 'b', 'c', 'y'), ['-a', '+x', ' b', ' c', '-d', '+y']],
  [
    'far lines',
    lines('1', '2', '3', '4', '5', '6'),
    lines('1', '2', '3', '4', '5', '6', '7'),
    [' 4', ' 5', ' 6', '+7'],
  ],
])('%s', (_, before, after, expected) => {
  expect(lineDifference(before, after).split('\n').slice(0, -1)).toEqual(expected)
})

test('two large texts without a common line are told without a table of their pairs', () => {
  const many = (word: string) => Array.from({ length: 20_000 }, (_, i) => `${word}${i}`).join('\n')
  expect(lineDifference(many('a'), many('b')).split('\n')).toHaveLength(40_001)
})
