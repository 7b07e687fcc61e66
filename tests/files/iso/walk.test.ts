import { describe, expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { imageLimits } from '../../../server/core/limits/images.ts'
import { find, links, list } from '../../../server/files/iso/walk.ts'
import { cleanPath, rootPath } from '../../../server/files/path.ts'
import { type MemoryNode, memoryFolders } from '../../support/iso/memory-folders.ts'
import { imageOf } from '../../support/iso/walk-image.ts'

type Nodes = Readonly<Record<string, MemoryNode>>
const image = imageOf(Buffer.alloc(0))
const link = (target: string): MemoryNode => ({ kind: 'symlink', target, extents: [] })
const findIn = (nodes: Nodes, path: string) => find(image, memoryFolders(nodes), cleanPath(path))
const linksIn = (nodes: Nodes, path: string) => links(image, memoryFolders(nodes), cleanPath(path))
async function listIn(nodes: Nodes, path: string): Promise<string[] | undefined> {
  return (await list(image, memoryFolders(nodes), cleanPath(path)))?.map(({ name }) => name)
}

describe('a path', () => {
  const nodes = { 'a/b/file': { size: 7 }, other: { size: 8 }, 'a/to': link('b') }
  test.each([
    ['/', { kind: 'folder', name: '' }],
    ['/a/b', { kind: 'folder', name: 'b' }],
    ['/a/b/file', { kind: 'file', size: 7 }],
    ['/a/to/file', { kind: 'file', size: 7 }],
  ])('%s leads to a node', async (path, expected) => {
    expect(await findIn(nodes, path)).toMatchObject(expected)
  })

  test.each(['/none', '/a/none/file', '/other/file', '/a/b/file/x'])('%s leads nowhere', async (path) => {
    expect(await findIn(nodes, path)).toBeUndefined()
    expect(await listIn(nodes, path)).toBeUndefined()
    expect(await linksIn(nodes, path)).toBeUndefined()
  })

  test('of a file has neither a list nor links', async () => {
    expect(await listIn(nodes, '/other')).toBeUndefined()
    expect(await linksIn(nodes, '/other')).toBeUndefined()
  })
})

describe('a symlink', () => {
  const nodes = (target: string) => ({ 'a/link': link(target), 'a/b/file': { size: 7 }, 'a/x': { size: 8 } })
  test.each([
    ['x', 8],
    ['b/file', 7],
    ['./b/./file', 7],
    ['b//file', 7],
    ['x/', 8],
    ['../a/x', 8],
    ['b/../../a/x', 8],
  ])('to %j is followed', async (target, size) => {
    expect(await findIn(nodes(target), '/a/link')).toMatchObject({ name: 'link', target, size })
    expect(await listIn(nodes(target), '/a')).toEqual(['link', 'b', 'x'])
    expect(await linksIn(nodes(target), '/a')).toEqual(new Map([['link', target]]))
  })

  test.each(['', '/a/x', '/', 'none', '../../a/x', '../..', 'x/file', 'x/../x/y', 'link', '../a/link'])(
    'to %j leads nowhere',
    async (target) => {
      expect(await findIn(nodes(target), '/a/link')).toBeUndefined()
      expect(await listIn(nodes(target), '/a')).toEqual(['b', 'x'])
      expect(await linksIn(nodes(target), '/a')).toEqual(new Map([['link', target]]))
    },
  )

  test('may lead to so many others, and no more', async () => {
    const most = imageLimits.imagePath.entries
    const chain = Array.from({ length: most + 1 }, (_, i) => [`l${i}`, link(i < most ? `l${i + 1}` : 'file')])
    const nodes = { file: {}, ...Object.fromEntries(chain) }
    expect(await findIn(nodes, '/l1')).toMatchObject({ name: 'l1', target: 'l2', kind: 'file' })
    expect(await findIn(nodes, '/l0')).toBeUndefined()
  })

  test.each([
    ['is left out of a list when its target is damaged', new Failure('invalid-data', 'damaged'), true],
    ['is left out of a list when its target is not supported', new Failure('unsupported', 'new'), true],
    ['fails the list when the image was replaced', new Failure('conflict', 'replaced'), false],
    ['fails the list when the disk fails', new Error('EIO'), false],
  ])('%s', async (_, error, isLeftOut) => {
    const nodes = { file: {}, link: link('bad/file'), bad: { kind: 'folder', error } } as const
    const listed = listIn(nodes, '/')
    if (isLeftOut) expect(await listed).toEqual(['file', 'bad'])
    else await expect(listed).rejects.toBe(error)
  })
})

test('the symlinks of a folder lead through so many names in all, and no more', async () => {
  const most = imageLimits.linkSteps.entries
  const each = 5000
  /** A link of so many steps, with that to the link itself: it leaves the root and leads nowhere. */
  const away = (steps: number) => link('../'.repeat(steps - 1))
  const full = Array.from({ length: most / each - 1 }, (_, i) => [`l${i}`, away(each)])
  const nodes = (steps: number) => ({
    file: {},
    ...Object.fromEntries(full),
    last: away(steps),
    good: link('file'),
  })
  // The last link has two steps: to itself, and to the file.
  expect(await listIn(nodes(each - 2), '/')).toEqual(['file', 'good'])
  expect(await listIn(nodes(each - 1), '/')).toEqual(['file'])
})

describe('folders above one another', () => {
  const { depth } = imageLimits.imagePath
  const path = (folders: number) => `/${'d/'.repeat(folders)}`
  const nodes = { [`${path(depth).slice(1)}file`]: {}, [`${path(depth + 1).slice(1)}deeper`]: {} }

  test('may be so many, and no more', async () => {
    expect(await findIn(nodes, path(depth))).toMatchObject({ kind: 'folder' })
    expect(await findIn(nodes, `${path(depth)}file`)).toMatchObject({ kind: 'file' })
    await expect(findIn(nodes, path(depth + 1))).rejects.toThrow(`more than ${depth} deep`)
    expect(await listIn(nodes, path(depth))).toEqual(['file'])
    expect(await listIn(nodes, path(depth - 1))).toEqual(['d'])
  })

  test('may not be the same', async () => {
    const extents = [{ offset: 4096, length: 2048 }]
    const nodes = {
      '': { kind: 'folder', size: 0, extents },
      'a/same': { kind: 'folder', extents },
      'a/b': { kind: 'folder' },
    } as const
    await expect(findIn(nodes, '/a/same')).rejects.toThrow('x.iso, byte 4096: the folder same holds itself')
    expect(await listIn(nodes, '/a')).toEqual(['b'])
  })

  test('may lie where a file of theirs begins: only folders are compared', async () => {
    const extents = [{ offset: 4096, length: 2048 }]
    const nodes = { a: { kind: 'folder', extents }, 'a/raw': { extents } } as const
    expect(await findIn(nodes, '/a/raw')).toMatchObject({ kind: 'file' })
    expect(await listIn(nodes, '/a')).toEqual(['raw'])
    expect(await listIn(nodes, rootPath)).toEqual(['a'])
  })
})
