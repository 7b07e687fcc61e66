import { expect, test } from 'vitest'
import { splitPage } from './golden.ts'

const page =
  '# Page\n\n<!-- begin rooms: written by a tool -->\n\n| a |\n| b |\n\n<!-- end rooms -->\n\nMore.\n'

test('the part of a page between its two comments is found, and the rest is kept', () => {
  const { before, part, after } = splitPage(page, 'rooms')
  expect(part).toBe('| a |\n| b |')
  expect(before + part + after).toBe(page)
  expect(before.endsWith('-->\n\n')).toBe(true)
  expect(after.startsWith('\n\n<!-- end rooms -->')).toBe(true)
})

test.each([
  ['another part', page, 'words'],
  ['a part without an end', page.replace('<!-- end rooms -->', ''), 'rooms'],
])('%s is refused by name', (_, text, name) => {
  expect(() => splitPage(text, name)).toThrow(`"${name}"`)
})
