import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ownPath } from '../../../server/core/net/own-path.ts'

test.each([
  ['/', '/'],
  ['/trees/?a=1#b', '/trees/?a=1#b'],
  ['/a/../b', '/b'],
])('%s is a path of this server', (text, path) => expect(ownPath(text)).toBe(path))

test.each([
  '',
  'x',
  '//evil.example',
  '/\\evil.example',
  '\\/evil.example',
  '/\t/evil.example',
  '/.//evil.example',
  '/x/..//evil.example',
  'https://evil.example/',
  'javascript:alert(1)',
  `/${'x'.repeat(1000)}`,
])('%j is none', (text) => expect(ownPath(text)).toBeUndefined())

test('what it returns leads a browser nowhere else', () => {
  const piece = fc.constantFrom(
    '/',
    '\\',
    '.',
    '..',
    '//',
    'evil.example',
    '\t',
    '@',
    ':',
    '%2f',
    '?',
    '#',
    'a',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const path = ownPath(`/${pieces.join('')}`)
      if (path !== undefined)
        expect(new URL(path, 'https://boot.example/x').origin).toBe('https://boot.example')
    }),
  )
})
