import { expect, test } from 'vitest'
import { againText, problemText } from '../../server/templates/problem.ts'

const problem = { template: 'a.ks', line: 3, severity: 'error', message: 'is slow' } as const
const at = (text: string) => Date.parse(`2026-01-02T${text}Z`)

test.each([
  ['17:46:00', '17:46'],
  // Never earlier than it is true.
  ['17:46:00.001', '17:47'],
  ['23:59:01', '00:00'],
])('a template that is tried again at %s: %s', (time, shown) => {
  const text = `; tried again at ${shown} UTC, or when a template is changed`
  expect(againText({ againMs: at(time) })).toBe(text)
  expect(problemText({ ...problem, againMs: at(time), remedy: 'look' })).toBe(`a.ks:3: is slow (look)${text}`)
})

test('nothing is said of problems that only a change ends', () => {
  expect(problemText(problem)).toBe('a.ks:3: is slow')
})
