import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { editDistance, nearestName } from '../../../server/core/select/nearest.ts'

describe('the nearest known name', () => {
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
  ])('of %j is %s', (name, expected) => expect(nearestName(name, known)).toBe(expected))

  test('is found quickly, however long the text is', () => {
    expect(nearestName('a'.repeat(1_000_000), known)).toBeUndefined()
  })
})

test('of two near names the nearer one is found, and the first of two that are equally near', () => {
  expect(nearestName('httpss', ['http', 'https'])).toBe('https')
  expect(nearestName('ftps', ['ftp', 'tftps'])).toBe('ftp')
})

test.each([
  ['', 'abc', 3],
  ['ab', 'ba', 1],
  ['abcd', 'acbd', 1],
  ['abc', 'axc', 1],
  ['abc', 'abxc', 1],
  // A swap, and then a letter between the two, are not one slip each: "optimal string alignment".
  ['ca', 'abc', 3],
])('the edit distance of %j and %j is %i', (a, b, distance) => expect(editDistance(a, b)).toBe(distance))

test('the edit distance is 0 only for equal texts, the same in both directions, and at most the longer length', () => {
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
