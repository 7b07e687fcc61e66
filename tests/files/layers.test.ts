import { describe, expect, test } from 'vitest'
import { Failure } from '../../server/core/failure.ts'
import { generatedSource } from '../../server/files/generated.ts'
import { memorySource } from '../../server/files/memory.ts'
import { cleanPath } from '../../server/files/path.ts'
import { unionSource } from '../../server/files/union.ts'
import { anyone, contentOf } from '../contract/file-source.ts'
import { names, textOrFolder as text } from '../support/sources.ts'

describe('memorySource', () => {
  test('a path that is both file and folder, or is given twice, is refused', () => {
    expect(() => memorySource({ '/a': '', '/a/b': '' })).toThrow(Failure)
    expect(() => memorySource({ '/a/b': '', '/a': '' })).toThrow(Failure)
    expect(() => memorySource({ '/a': '', a: '' })).toThrow(Failure)
  })
})

describe('unionSource', () => {
  const union = unionSource(
    memorySource({ '/both': 'upper', '/a': 'a file', '/folder/upper': 'u' }),
    memorySource({
      '/both': 'lower',
      '/a/hidden': 'h',
      '/a/deep/hidden': 'h',
      '/folder/lower': 'l',
      '/lower': 'l',
    }),
  )
  test('the first source that has a path wins', async () => {
    expect(await text(union, '/both')).toBe('upper')
    expect(await text(union, '/lower')).toBe('l')
  })
  test('folders merge', async () => {
    expect(await names(union, '/')).toEqual(['a', 'both', 'folder', 'lower'])
    expect(await names(union, '/folder')).toEqual(['lower', 'upper'])
  })
  test('a file hides a folder of a later source and everything in it', async () => {
    expect(await text(union, '/a')).toBe('a file')
    for (const path of ['/a/hidden', '/a/deep', '/a/deep/hidden'])
      expect(await text(union, path)).toBeUndefined()
    for (const path of ['/a', '/a/deep']) expect(await names(union, path)).toBeUndefined()
  })
})

describe('generatedSource', () => {
  let body = 'one'
  let clock = 1000
  const source = generatedSource({
    text: async (path, who) => {
      if (path === '/bad') throw new Failure('invalid-data', 'broken')
      return path === '/x' || path === '/hidden' ? `${body} for ${who.address}` : undefined
    },
    paths: () => ['/x', '/bad', '/deep/er/y'],
    now: () => clock,
  })

  test('the time of a text changes only when the text changes', async () => {
    const first = await source.stat(cleanPath('/x'), anyone)
    clock = 2000
    expect(await source.stat(cleanPath('/x'), anyone)).toMatchObject({ modifiedMs: 1000, etag: first?.etag })
    body = 'two'
    expect(await source.stat(cleanPath('/x'), anyone)).toMatchObject({ modifiedMs: 2000 })
    clock = 3000
    body = 'one'
    expect(await source.stat(cleanPath('/x'), anyone)).toMatchObject({ modifiedMs: 3000, etag: first?.etag })
  })

  test('each requester gets a text of its own', async () => {
    const entry = await source.stat(cleanPath('/x'), { ...anyone, address: '192.0.2.7' })
    expect((await contentOf(entry)).toString()).toBe('one for 192.0.2.7')
  })

  test('a listing has the named paths; one that fails does not hide the others, and fails when requested', async () => {
    expect(await names(source, '/')).toEqual(['deep', 'x'])
    expect(await names(source, '/deep')).toEqual(['er'])
    expect(await text(source, '/hidden')).toBe('one for 127.0.0.1')
    await expect(source.stat(cleanPath('/bad'), anyone)).rejects.toMatchObject({ kind: 'invalid-data' })
  })
})
