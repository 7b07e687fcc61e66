import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Discovery, discover, maxDepth } from '../../../server/catalog/scan/discover.ts'
import { temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

/** A tree is a folder that holds a file `TREE`: what makes a tree is tested elsewhere. */
async function discoverMarked(trees: string): Promise<Discovery> {
  return discover(trees, { id: '.', diskPath: trees }, async ({ diskPath }) =>
    existsSync(join(diskPath, 'TREE')),
  )
}

const ids = async (trees: string): Promise<string[]> =>
  (await discoverMarked(trees)).trees.map(({ id }) => id)

test('trees are found at any depth, sorted by id', async () => {
  const trees = temporaryFolder()
  for (const id of ['z', 'centos/9/BaseOS/x86_64/os', 'centos/9/AppStream/x86_64/os'])
    writeBelow(trees, `${id}/TREE`, '')
  expect(await ids(trees)).toEqual(['centos/9/AppStream/x86_64/os', 'centos/9/BaseOS/x86_64/os', 'z'])
})

test('a tree is not looked for inside a tree', async () => {
  const trees = temporaryFolder()
  writeBelow(trees, 'outer/TREE', '')
  writeBelow(trees, 'outer/inner/TREE', '')
  expect(await ids(trees)).toEqual(['outer'])
})

test('trees/ itself may be the only tree, and is called "."', async () => {
  const trees = temporaryFolder()
  writeBelow(trees, 'TREE', '')
  writeBelow(trees, 'a/TREE', '')
  expect(await ids(trees)).toEqual(['.'])
})

test('the depth is limited', async () => {
  const trees = temporaryFolder()
  const deepest = Array.from({ length: maxDepth }, () => 'd').join('/')
  writeBelow(trees, `${deepest}/TREE`, '')
  writeBelow(trees, `e/${deepest}/TREE`, '')
  expect(await ids(trees)).toEqual([deepest])
})

test.each(['.incoming', '.treeboot-aside', 'lost+found', '.fedora.a1B2c3', '.~tmp~', 'Packages', 'repodata'])(
  '%s is skipped',
  async (name) => {
    const trees = temporaryFolder()
    writeBelow(trees, `${name}/tree/TREE`, '')
    writeBelow(trees, `${name}/TREE`, '')
    expect(await ids(trees)).toEqual([])
  },
)

test('the pool of a Debian archive is skipped, a folder of that name elsewhere is not', async () => {
  const trees = temporaryFolder()
  mkdirSync(join(trees, 'debian/dists'), { recursive: true })
  writeBelow(trees, 'debian/pool/main/TREE', '')
  writeBelow(trees, 'pool/mine/TREE', '')
  expect(await ids(trees)).toEqual(['pool/mine'])
})

test('symlinks inside trees/ are followed and give trees of their own; those that lead out are not', async () => {
  const trees = temporaryFolder()
  const elsewhere = temporaryFolder()
  writeBelow(elsewhere, 'secret/TREE', '')
  writeBelow(trees, 'fedora-40/TREE', '')
  symlinkSync('fedora-40', join(trees, 'latest'))
  symlinkSync(join(elsewhere, 'secret'), join(trees, 'out'))
  symlinkSync('nowhere', join(trees, 'dangling'))
  expect(await ids(trees)).toEqual(['fedora-40', 'latest'])
})

test('symlinks that lead back up are not followed without end', async () => {
  const trees = temporaryFolder()
  writeBelow(trees, 'a/b/c/TREE', '')
  symlinkSync('../..', join(trees, 'a/b/up'))
  symlinkSync('.', join(trees, 'a/self'))
  symlinkSync('loop', join(trees, 'loop'))
  const { searched, trees: found } = await discoverMarked(trees)
  expect(found.map(({ id }) => id)).toEqual(['a/b/c'])
  expect(searched.map(({ id }) => id).sort()).toEqual(['.', 'a', 'a/b'])
})

test('folders that link to each other are not followed without end', async () => {
  const trees = temporaryFolder()
  mkdirSync(join(trees, 'a'))
  mkdirSync(join(trees, 'b'))
  symlinkSync('../b', join(trees, 'a/to-b'))
  symlinkSync('../a', join(trees, 'b/to-a'))
  const { searched } = await discoverMarked(trees)
  expect(searched.map(({ id }) => id).sort()).toEqual(['.', 'a', 'a/to-b', 'b', 'b/to-a'])
})
