import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { editDistance, nearestName } from '../../../server/core/select/nearest.ts'

describe('the name that was meant', () => {
  const known = ['profiles', 'guests', 'server', 'http', 'tftp', 'ftp', 'nfs', 'menu-timeout']
  test.each([
    ['profile', 'profiles'],
    ['proflies', 'profiles'],
    ['Guests', 'guests'],
    ['menu_timeout', 'menu-timeout'],
    ['htpp', 'http'],
    ['sevrer', 'server'],
    ['x', undefined],
    ['', undefined],
    ['kickstart', undefined],
  ])('%j: %s', (name, expected) => expect(nearestName(name, known)).toBe(expected))

  test('is found in a moment however long the text is', () => {
    expect(nearestName('a'.repeat(1_000_000), known)).toBeUndefined()
  })
})

test('the distance is 0 to itself alone, the same both ways, and at most the longer length', () => {
  const word = fc.string({ maxLength: 12 })
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b)
      expect(distance).toBe(editDistance(b, a))
      expect(distance === 0).toBe(a === b)
      expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length))
      expect(distance).toBeGreaterThanOrEqual(Math.abs(a.length - b.length))
    }),
  )
})
