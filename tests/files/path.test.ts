import { posix } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { baseName, below, cleanPath, isServedName, joinPath, parentPath } from '../../server/files/path.ts'

describe('cleanPath', () => {
  test.each([
    ['', '/'],
    ['/', '/'],
    ['a', '/a'],
    ['/a/', '/a'],
    // libosinfo asks for `TREE//.treeinfo`, and shim for `//grubx64.efi`.
    ['/tree//.treeinfo', '/tree/.treeinfo'],
    ['//grubx64.efi', '/grubx64.efi'],
    ['/a/./b', '/a/b'],
    ['/a/.', '/a'],
    ['/a/../b', '/b'],
    ['/a/b/..', '/a'],
    ['/../../etc', '/etc'],
    ['/..', '/'],
    ['..', '/'],
    ['.', '/'],
  ])('%j is %j', (raw, clean) => {
    expect(cleanPath(raw)).toBe(clean)
  })

  test.each([
    '/...',
    '/.a',
    '/..a',
    '/a.',
    '/a..',
    '/.a/b',
    '/a b~',
    '/ü',
    '/%2e%2e/a',
    '/a\\..\\b',
    '/\x80',
  ])('%j stays as it is', (path) => {
    expect(cleanPath(path)).toBe(path)
  })

  test('resolves as node:path does, from the root, and keeps what it has made', () => {
    const raw = fc
      .array(fc.constantFrom('/', '/', '.', '..', 'a', 'bc', '...', ' '), { maxLength: 12 })
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(raw, (each) => {
        const path = cleanPath(each)
        expect(path).toBe(posix.resolve('/', each))
        expect(cleanPath(path)).toBe(path)
      }),
    )
  })

  test('control characters are refused, wherever they are', () => {
    for (const control of ['\x00', '\n', '\x1f', '\x7f'])
      for (const raw of [
        `/${control}`,
        `/a${control}b`,
        `${control}`,
        `//a/${control}`,
        `/a${control}/../${control}`,
      ]) {
        expect(() => cleanPath(raw), JSON.stringify(raw)).toThrow(/control character/)
        expect(isServedName(raw)).toBe(false)
      }
    for (const name of [' ', '~', '\x80', 'ü', '']) expect(isServedName(name)).toBe(true)
  })

  test('a path has at most 4096 characters', () => {
    expect(cleanPath(`/${'x'.repeat(4095)}`)).toHaveLength(4096)
    expect(() => cleanPath(`/${'x'.repeat(4096)}`)).toThrow(/4097 characters/)
  })
})

test.each([
  ['/', 'a', '/a'],
  ['/', '/', '/'],
  ['/a', 'b', '/a/b'],
  ['/a', '/b/c', '/a/b/c'],
  ['/a', '', '/a'],
  ['/a', '../b', '/a/b'],
  ['/a', '../..', '/a'],
])('below %s, the name %j is %s and never above', (parent, name, path) => {
  expect(joinPath(cleanPath(parent), name)).toBe(path)
})

test.each([
  ['/', '/', ''],
  ['/a', '/', 'a'],
  ['/a/b', '/a', 'b'],
  ['/a/b/c.d', '/a/b', 'c.d'],
])('%s is in %s, with the name %j', (path, parent, name) => {
  expect(parentPath(cleanPath(path))).toBe(parent)
  expect(baseName(cleanPath(path))).toBe(name)
})

test.each([
  ['/', '/a', '/a'],
  ['/', '/', '/'],
  ['/trees', '/trees', '/'],
  ['/trees', '/trees/a/b', '/a/b'],
  ['/trees', '/treesome', undefined],
  ['/trees', '/tree', undefined],
  ['/trees', '/', undefined],
  ['/trees', '/other/a', undefined],
  ['/trees', '/a/trees/b', undefined],
])('below %s, the path %s is %s', (prefix, path, inside) => {
  expect(below(cleanPath(prefix), cleanPath(path))).toBe(inside)
})
