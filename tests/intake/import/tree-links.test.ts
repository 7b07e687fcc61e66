import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { importArchive } from '../../../server/intake/import/import-archive.ts'
import { importLocal } from '../../../server/intake/import/import-tree.ts'
import { TreeWriter } from '../../../server/intake/import/tree-writer.ts'
import { VersionStore } from '../../../server/versions/version-store.ts'
import { type TarSpec, tarOf } from '../../support/tar.ts'
import {
  imagesOfTree,
  makeTree,
  namesBelow,
  temporaryFolder,
  treeinfoText,
} from '../../support/tree-folder.ts'

const treeEntries: TarSpec[] = Object.entries({ ...imagesOfTree(), '.treeinfo': treeinfoText() }).map(
  ([path, data]) => ({ path, data }),
)

const link = (path: string, target: string): TarSpec => ({ path, type: '2', target })
const hardLink = (path: string, target: string): TarSpec => ({ path, type: '1', target })

/** `d/d/.../b` is the root of the file system: `a` is the top of the tree, and `b` goes up from there. */
const deep = Array.from({ length: 14 }, () => 'd').join('/')
const toRoot: TarSpec[] = [
  { path: deep, type: '5' },
  link(`${deep}/a`, Array(14).fill('..').join('/')),
  link(`${deep}/b`, `a/${Array(15).fill('..').join('/')}`),
]

async function published(entries: readonly TarSpec[], base = temporaryFolder()) {
  const trees = join(base, 'trees')
  mkdirSync(trees, { recursive: true })
  writeFileSync(join(base, 'x.tar'), tarOf([...treeEntries, ...entries]))
  const imported = await importLocal(new VersionStore(trees), join(base, 'x.tar'), { id: 'x' })
  return { ...imported, tree: join(trees, '.treeboot/versions/x/1') }
}

/** Unpacks entries into `BASE/tree`, over what an earlier run has left there. */
async function unpacked(entries: readonly TarSpec[], base = temporaryFolder()) {
  writeFileSync(join(base, 'x.tar'), tarOf(entries))
  const writer = new TreeWriter(join(base, 'tree'), join(base, 'aside'))
  await writer.start()
  await importArchive(join(base, 'x.tar'), 'tar', writer, { onProgress: () => undefined })
  await writer.finish()
  return { base, tree: join(base, 'tree'), notes: writer.notes }
}

test('a hard link through a symlink publishes no file of the machine', async () => {
  const base = temporaryFolder()
  writeFileSync(join(base, 'secret'), 'secret')
  const { tree, notes } = await published(
    [...toRoot, hardLink('stolen', `${deep}/b${base}/secret`)],
    base,
  ).catch((error: unknown) => {
    expect(error).toBeInstanceOf(Failure)
    return { tree: join(base, 'trees'), notes: [] }
  })
  expect(existsSync(join(tree, 'stolen'))).toBe(false)
  expect(existsSync(join(tree, deep, 'b'))).toBe(false)
  expect(notes).toHaveLength(2)
  expect(statSync(join(base, 'secret')).nlink).toBe(1)
})

test('a link from one tree of an archive into another is left out: they are published apart', async () => {
  const base = temporaryFolder()
  const trees = join(base, 'trees')
  mkdirSync(trees)
  const entries = ['one/deep/40', 'two'].flatMap((folder, n) =>
    Object.entries({
      ...imagesOfTree({ version: `${n}` }),
      '.treeinfo': treeinfoText({ version: `${n}` }),
    }).map(([path, data]) => ({ path: `${folder}/${path}`, data })),
  )
  const out = link('one/deep/40/out', '../../../two')
  const inside = link('one/deep/40/inside', '../40/images')
  writeFileSync(join(base, 'x.tar'), tarOf([...entries, out, inside]))
  const { trees: found } = await importLocal(new VersionStore(trees), join(base, 'x.tar'))
  expect(found.map(({ result }) => result.outcome)).toEqual(['published', 'published'])
  expect(found[0]?.result.findings).toContainEqual(
    expect.objectContaining({
      severity: 'warning',
      path: 'out',
      message: expect.stringContaining('../../../two'),
    }),
  )
  const version = join(trees, '.treeboot/versions', found[0]?.id ?? '', '1')
  expect(namesBelow(version)).not.toContain('out')
  // The folder has another name now, so this link leads out as well.
  expect(namesBelow(version)).not.toContain('inside')
})

test('no folder is made through a symlink', async () => {
  const base = temporaryFolder()
  const entries = [...toRoot, link(`${deep}/b${base}/OUTSIDE/made/l`, 'x')]
  await expect(published(entries, base)).rejects.toMatchObject({
    kind: 'invalid-data',
    message: expect.stringContaining(`${deep}/b`),
  })
  expect(readdirSync(base).sort()).toEqual(['trees', 'x.tar'])
})

test.each<[string, TarSpec[]]>([
  ['a link and then a file below it', [link('a', '..'), { path: 'a/new', data: 'x' }]],
  ['a file and then a link above it', [{ path: 'a/new', data: 'x' }, link('a', '..')]],
  ['a folder and then a link in its place', [{ path: 'a', type: '5' }, link('a', '..')]],
  ['a link below a link', [link('a', '..'), link('a/new', 'x')]],
  ['a hard link below a link', [{ path: 'f', data: 'x' }, link('a', '..'), hardLink('a/new', 'f')]],
  [
    'a file and a folder',
    [
      { path: 'a', data: 'x' },
      { path: 'a/b', data: 'x' },
    ],
  ],
  [
    'a folder and a file',
    [
      { path: 'a/b', data: 'x' },
      { path: 'a', data: 'x' },
    ],
  ],
])('%s: the archive is refused, and nothing is made elsewhere', async (_, entries) => {
  const base = temporaryFolder()
  await expect(unpacked(entries, base)).rejects.toMatchObject({
    kind: 'invalid-data',
    message: expect.stringMatching(/^"a" /),
  })
  expect(
    readdirSync(base)
      .filter((name) => name !== 'aside')
      .sort(),
  ).toEqual(['tree', 'x.tar'])
})

test('of a file and a link with one name the last entry counts', async () => {
  const { tree, notes } = await unpacked([
    link('a', 'x'),
    { path: 'a', data: 'file' },
    { path: 'b', data: 'file' },
    link('b', 'a'),
    link('c', 'x'),
    { path: 'c', type: '5' },
  ])
  expect(readFileSync(join(tree, 'a'), 'utf8')).toBe('file')
  expect(readlinkSync(join(tree, 'b'))).toBe('a')
  expect(lstatSync(join(tree, 'c')).isDirectory()).toBe(true)
  expect(notes).toEqual([])
})

test('a hard link to a link is one of its kind, and one to a file is that file', async () => {
  const { tree, notes } = await unpacked([
    { path: 'f', data: 'file' },
    hardLink('one', 'f'),
    hardLink('two', 'one'),
    hardLink('f', 'two'),
    link('soft', 'f'),
    hardLink('soft2', 'soft'),
    hardLink('nothing', 'not/there'),
  ])
  const inode = statSync(join(tree, 'f')).ino
  expect(['one', 'two'].map((name) => lstatSync(join(tree, name)).ino)).toEqual([inode, inode])
  expect(readlinkSync(join(tree, 'soft2'))).toBe('f')
  expect(notes).toEqual([expect.stringMatching(/^nothing is left out: .*not\/there/)])
})

test('links of an earlier run, in place or leading out, are not written through', async () => {
  const base = temporaryFolder()
  mkdirSync(join(base, 'outside'))
  await unpacked([{ path: 'd/kept', data: 'x' }, link('a', 'd')], base)
  symlinkSync('../outside', join(base, 'tree/b'))
  symlinkSync('../outside/new', join(base, 'tree/c'))
  const { tree } = await unpacked(
    ['a/f', 'b/f', 'c'].map((path) => ({ path, data: 'x' })),
    base,
  )
  expect(readdirSync(join(base, 'outside'))).toEqual([])
  expect(namesBelow(tree)).toEqual(['a/f', 'b/f', 'c'])
})

test('what was a file in an earlier run may be a folder now, and the reverse', async () => {
  const { base } = await unpacked([
    { path: 'a', data: 'x' },
    { path: 'b/deep/f', data: 'x' },
  ])
  const { tree } = await unpacked(
    [
      { path: 'a/f', data: 'x' },
      { path: 'b', data: 'x' },
    ],
    base,
  )
  expect(namesBelow(tree)).toEqual(['a/f', 'b'])
})

test('links that cannot be made are left out, with a note', async () => {
  const { tree, notes } = await unpacked([
    link('control', 'a\u001b[2J'),
    link('circle', 'circle'),
    link('up', '../tree/x'),
    link('inside', 'not/there/../x'),
  ])
  expect(namesBelow(tree)).toEqual(['inside'])
  expect(notes.toSorted()).toEqual(
    ['circle', 'control', 'up'].map((name) => expect.stringMatching(`^${name} is`)),
  )
  expect(notes.join()).not.toContain('\u001b')
})

test.each([
  ['too deep', 'd/'.repeat(200)],
  ['a long name', 'n'.repeat(300)],
  ['a long path', `${'n'.repeat(200)}/`.repeat(15)],
])('a path with %s is refused', async (_, path) => {
  const writer = new TreeWriter(join(temporaryFolder(), 'tree'), join(temporaryFolder(), 'aside'))
  await writer.start()
  expect(() => writer.place(path)).toThrow(expect.objectContaining({ kind: 'invalid-data' }))
})

test('a hard link that an interrupted import left aside is not written through', async () => {
  const base = temporaryFolder()
  makeTree(join(base, 'dvd'))
  const original = join(base, 'dvd/images/install.img')
  const writer = new TreeWriter(join(base, 'tree'), join(base, 'aside'))
  await writer.start()
  linkSync(original, join(base, 'aside/shared-1'))
  writeFileSync(join(base, 'other'), 'other')
  utimesSync(join(base, 'other'), 1, 1)
  await writer.share({ path: 'f', size: 5, modifiedMs: 1000 }, join(base, 'other'), false)
  expect(readFileSync(original, 'utf8')).toBe(imagesOfTree()['images/install.img'])
})
