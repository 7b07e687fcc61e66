import { describe, expect, test } from 'vitest'
import { Failure } from '../../server/core/failure.ts'
import { type GeneratedText, generatedSource } from '../../server/files/generated.ts'
import { withoutFolder } from '../../server/files/hidden.ts'
import { memorySource } from '../../server/files/memory.ts'
import { cleanPath } from '../../server/files/path.ts'
import { unionSource } from '../../server/files/union.ts'
import { anyone, contentOf } from '../contract/file-source.ts'
import { names, stat, textOrFolder as text } from '../support/sources.ts'

describe('memorySource', () => {
  test('a path that is both file and folder, or is given twice, is refused', () => {
    expect(() => memorySource({ '/a': '', '/a/b': '' })).toThrow(Failure)
    expect(() => memorySource({ '/a/b': '', '/a': '' })).toThrow(Failure)
    expect(() => memorySource({ '/a': '', a: '' })).toThrow(Failure)
  })

  test('folders follow from the paths of files, and list them sorted', async () => {
    const source = memorySource({ '/b/c/d': 'd', 'b//a': Buffer.from('bytes'), '/a': 'ä' }, 7)
    expect(await names(source, '/')).toEqual(['a', 'b'])
    expect(await names(source, '/b')).toEqual(['a', 'c'])
    expect(await names(source, '/b/c')).toEqual(['d'])
    expect(await names(source, '/b/a')).toBeUndefined()
    expect(await text(source, '/b/a')).toBe('bytes')
    expect(await stat(source, '/a')).toMatchObject({ name: 'a', size: 2, modifiedMs: 7 })
    expect(await stat(source, '/b')).toMatchObject({ name: 'b', kind: 'folder', modifiedMs: 7 })
    expect(await names(memorySource({}), '/')).toEqual([])
  })

  test('a read fills the buffer that it gets and no more', async () => {
    const file = await (await stat(memorySource({ '/a': 'abcdef' }), '/a'))?.open()
    const target = Buffer.from('......')
    expect(await file?.read(target, 4, 6, 1)).toBe(2)
    expect(target.toString()).toBe('....bc')
    expect(await file?.read(target, 0, 6, 6)).toBe(0)
    expect(await file?.read(target, 0, 0, 2)).toBe(0)
  })
})

describe('unionSource', () => {
  test('a file below an upper folder of the same name is hidden, and hides nothing', async () => {
    const source = unionSource(memorySource({ '/a/b': 'upper' }), memorySource({ '/a': 'a file' }))
    expect(await text(source, '/a/b')).toBe('upper')
    expect(await text(source, '/a')).toBe('(folder)')
    expect(await names(source, '/a')).toEqual(['b'])
  })

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

  test('decision and claim belong to one request, and the text keeps its time', async () => {
    const decision = {
      kind: 'tree-file',
      path: '/.treeinfo',
      release: { id: 'r1', version: 1 },
    } as const
    const claim = (): Promise<void> => Promise.resolve()
    const results: readonly (GeneratedText | string)[] = [
      { text: 'same' },
      { text: 'same', decision },
      { text: 'same', claim },
      'same',
    ]
    let made = 0
    const one = generatedSource({ text: async () => results[made++], now: () => made })
    const entries = [
      await stat(one, '/x'),
      await stat(one, '/x'),
      await stat(one, '/x'),
      await stat(one, '/x'),
    ]
    expect(entries.map((entry) => [entry?.decision, entry?.claim])).toEqual([
      [undefined, undefined],
      [decision, undefined],
      [undefined, claim],
      [undefined, undefined],
    ])
    expect(new Set(entries.map((entry) => `${entry?.modifiedMs} ${entry?.etag}`)).size).toBe(1)
  })

  test('folders follow from the listed paths, and have the time of the start', async () => {
    let time = 500
    const one = generatedSource({
      text: (path) => Promise.resolve(/[axy]$/.test(path) ? path : undefined),
      // Not sorted, not clean, and one of them without a text.
      paths: () => ['b/deep/y', '/b//deep/x', '/b/none', '/a'],
      now: () => time,
    })
    time = 900
    expect(await names(one, '/')).toEqual(['a', 'b'])
    expect((await one.list(cleanPath('/'), anyone))?.map(({ kind }) => kind)).toEqual(['file', 'folder'])
    expect(await names(one, '/b')).toEqual(['deep'])
    expect(await names(one, '/b/deep')).toEqual(['x', 'y'])
    expect(await names(one, '/b/deep/x')).toBeUndefined()
    expect(await names(one, '/b/de')).toBeUndefined()
    expect(await stat(one, '/b')).toMatchObject({ kind: 'folder', modifiedMs: 500 })
    expect(await stat(one, '/b/none')).toBeUndefined()
  })

  test('without a list of paths, a listing shows an empty root', async () => {
    const root = generatedSource({ text: async () => undefined, now: () => 500 })
    expect(await stat(root, '/')).toMatchObject({ kind: 'folder', modifiedMs: 500 })
    expect(await names(root, '/')).toEqual([])
  })

  test('a listing has the named paths; one that fails does not hide the others, and fails when requested', async () => {
    expect(await names(source, '/')).toEqual(['deep', 'x'])
    expect(await names(source, '/deep')).toEqual(['er'])
    expect(await text(source, '/hidden')).toBe('one for 127.0.0.1')
    await expect(source.stat(cleanPath('/bad'), anyone)).rejects.toMatchObject({ kind: 'invalid-data' })
  })
})

describe('withoutFolder', () => {
  const files = memorySource({ '/in/x': 'x', '/in/deep/y': 'y', '/inner': 'i', '/a/in/z': 'z', '/b': 'b' })

  test('the folder, and all below it, is not found and not listed; its neighbours are', async () => {
    const source = withoutFolder(files, cleanPath('/in'))
    expect(await names(source, '/')).toEqual(['a', 'b', 'inner'])
    for (const path of ['/in', '/in/x', '/in/deep', '/in/deep/y']) {
      expect(await text(source, path), path).toBeUndefined()
      expect(await names(source, path), path).toBeUndefined()
    }
    expect(await text(source, '/inner')).toBe('i')
    expect(await names(source, '/a')).toEqual(['in'])
    expect(await text(source, '/a/in/z')).toBe('z')
  })

  test('a folder below the root is left out of its parent alone', async () => {
    const source = withoutFolder(files, cleanPath('/a/in'))
    expect(await names(source, '/')).toEqual(['a', 'b', 'in', 'inner'])
    expect(await names(source, '/a')).toEqual([])
    expect(await names(source, '/none')).toBeUndefined()
    expect(await names(withoutFolder(files, cleanPath('/none/in')), '/none')).toBeUndefined()
  })
})
