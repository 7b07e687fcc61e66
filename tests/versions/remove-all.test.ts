import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { leftovers, removeLeftovers } from '../../server/versions/leftovers.ts'
import { VersionStore } from '../../server/versions/version-store.ts'
import { makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

/** A tree with three versions, of which the second is current. */
async function published() {
  const trees = join(temporaryFolder(), 'trees')
  mkdirSync(join(trees, '.treeboot/incoming'), { recursive: true })
  let nowMs = Date.UTC(2026, 0, 1)
  const store = new VersionStore(trees, () => nowMs)
  const publish = (version: string) => {
    nowMs += 1000
    const path = join(trees, '.treeboot/incoming', version)
    makeTree(path, { version })
    return store.publish({ id: 'a/fedora', kind: 'folder', path, source: 'a test' })
  }
  for (const version of ['40', '41', '42']) await publish(version)
  await store.rollback('a/fedora', 2)
  return { trees, store, publish }
}

test('a tree is removed with all its versions, and its numbers are not used again', async () => {
  const { trees, store, publish } = await published()
  await store.removeAll('a/fedora', [1, 2, 3])
  expect(existsSync(join(trees, 'a/fedora'))).toBe(false)
  expect(await store.versions('a/fedora')).toEqual([])
  expect(readdirSync(join(trees, '.treeboot')).filter((name) => name.startsWith('removed-'))).toEqual([])
  expect(await new VersionStore(trees).recover()).toEqual([])
  expect(await publish('43')).toMatchObject({ version: 4 })
})

test('nothing is removed when there is a version that nobody has seen', async () => {
  const { trees, store } = await published()
  await expect(store.removeAll('a/fedora', [1, 2])).rejects.toMatchObject({
    kind: 'conflict',
    message: expect.stringContaining('1, 2, 3'),
  })
  expect((await store.versions('a/fedora')).map(({ current }) => current)).toEqual([false, true, false])
  expect(existsSync(join(trees, 'a/fedora/.treeinfo'))).toBe(true)
})

test('a tree that is not offered is removed the same', async () => {
  const { trees, store } = await published()
  await store.withdraw('a/fedora')
  // Whoever took the name away may have removed the folder above it.
  rmSync(join(trees, 'a'), { recursive: true, force: true })
  await store.removeAll('a/fedora', [1, 2, 3])
  expect(await store.versions('a/fedora')).toEqual([])
})

test('what a removal that was interrupted leaves is not offered, also after a start, and can be removed', async () => {
  const { trees, store } = await published()
  // rename(2) refuses a folder with files as its target: the version that was current cannot be hidden.
  const obstacle = `.treeboot/removed-a%2Ffedora-2-${process.pid}`
  writeBelow(trees, `${obstacle}/file`, '')
  // The history is lost, too: then the newest version looks like one whose publication was interrupted.
  rmSync(join(trees, '.treeboot/versions/a%2Ffedora/history'))
  await expect(store.removeAll('a/fedora', [1, 2, 3])).rejects.toThrow(/ENOTEMPTY|EEXIST/)
  expect(existsSync(join(trees, 'a/fedora'))).toBe(false)
  const later = new VersionStore(trees)
  expect(await later.recover()).toEqual([])
  expect((await later.versions('a/fedora')).map(({ version, current }) => ({ version, current }))).toEqual([
    { version: 2, current: false },
  ])
  expect((await leftovers(trees)).filter((path) => path.includes('removed-'))).toHaveLength(3)
  await removeLeftovers(trees)
  await later.removeAll('a/fedora', [2])
  expect(await later.versions('a/fedora')).toEqual([])
})
