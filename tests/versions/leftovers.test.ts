import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { planGc } from '../../server/versions/gc.ts'
import { folderOfId } from '../../server/versions/layout.ts'
import { leftovers, oldTempFiles, removeLeftovers } from '../../server/versions/leftovers.ts'
import { exclusively } from '../../server/versions/lock.ts'
import { VersionStore } from '../../server/versions/version-store.ts'
import { makeTree, namesBelow, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

let trees: string
let store: VersionStore
beforeEach(() => {
  trees = join(temporaryFolder(), 'trees')
  mkdirSync(join(trees, '.treeboot'), { recursive: true })
  store = new VersionStore(trees)
})

let jobs = 0
async function publish(id: string, version: string): Promise<void> {
  const path = join(trees, '.treeboot/incoming', String(jobs++))
  makeTree(path, { version })
  await store.publish({ id, kind: 'folder', path, source: 'a test' })
}

test('everything that a killed process can leave is found and removed, and nothing else', async () => {
  await publish('fedora', '40')
  const before = namesBelow(trees)
  const at = (name: string): string => join(folderOfId(trees, 'fedora'), name)
  writeBelow(trees, '.treeboot/removed-fedora-9-123/images/vmlinuz', 'half deleted')
  symlinkSync('.treeboot/versions/fedora/2', join(trees, '.treeboot/switch-fedora-123'))
  writeFileSync(at('.2.json.123.0123456789ab.tmp'), '{')
  writeFileSync(at('2.json'), '{}')
  mkdirSync(at('3'))
  symlinkSync('.treeboot/versions/fedora/5', at('4'))
  // The first publication of a tree was killed when it had reserved its number.
  mkdirSync(join(folderOfId(trees, 'alma'), '1'), { recursive: true })
  const found = await leftovers(trees)
  expect(found.map((path) => path.slice(trees.length))).toEqual([
    '/.treeboot/removed-fedora-9-123',
    '/.treeboot/switch-fedora-123',
    '/.treeboot/versions/alma/1',
    '/.treeboot/versions/fedora/.2.json.123.0123456789ab.tmp',
    '/.treeboot/versions/fedora/2.json',
    '/.treeboot/versions/fedora/3',
    '/.treeboot/versions/fedora/4',
  ])
  expect(await removeLeftovers(trees)).toEqual(found)
  expect(namesBelow(trees)).toEqual(before)
  expect(readdirSync(join(trees, '.treeboot/versions'))).toEqual(['fedora'])
})

test('what a running publication makes stays: it is looked at under the lock', async () => {
  const reserved = join(folderOfId(trees, 'fedora'), '1')
  let end = (): void => undefined
  const publication = exclusively(trees, async () => {
    mkdirSync(reserved, { recursive: true })
    await new Promise<void>((resolve) => {
      end = resolve
    })
    // It goes on: the number has content now.
    writeBelow(reserved, 'file', 'text')
  })
  const removal = removeLeftovers(trees)
  while (!existsSync(reserved)) await new Promise(setImmediate)
  end()
  await publication
  expect(await removal).toEqual([])
  expect(existsSync(join(reserved, 'file'))).toBe(true)
})

test('temporary files of other folders are removed when they are a day old', async () => {
  const folder = temporaryFolder()
  const old = ['.admin-token.12.0123456789ab.tmp', 'own.tmp', '.hidden', '.x.tmp']
  for (const name of [...old, '.verified.json.12.0123456789ab.tmp']) writeFileSync(join(folder, name), '')
  for (const name of old) utimesSync(join(folder, name), 1000, 1000)
  expect(await oldTempFiles(folder, Date.now())).toEqual([join(folder, '.admin-token.12.0123456789ab.tmp')])
})

const all = { keep: 0, graceMs: 0, pinned: new Set<string>() }

test('gc never deletes the last version, also when no name leads to it', async () => {
  for (const version of ['40', '41', '42']) await publish('fedora', version)
  await store.rollback('fedora', 2)
  rmSync(join(trees, 'fedora'))
  const { remove, stay } = await planGc(store, ['fedora'], { ...all, nowMs: Date.now() + 1 })
  expect(remove.map(({ version }) => version).sort()).toEqual([1, 3])
  // Not the newest, but the one that clients saw last.
  expect(stay).toMatchObject([{ version: { version: 2 }, why: expect.stringContaining('last') }])
  for (const { id, version } of remove) await store.remove(id, version)
  await expect(store.remove('fedora', 2)).rejects.toMatchObject({ kind: 'conflict' })
  expect((await store.versions('fedora')).map(({ version }) => version)).toEqual([2])
})

test('gc keeps a version whose publication the next start finishes', async () => {
  await publish('fedora', '40')
  const at = (name: string): string => join(folderOfId(trees, 'fedora'), name)
  makeTree(at('2'), { version: '41' })
  writeFileSync(at('2.json'), '{"id":"fedora","version":2,"kind":"folder"}')
  const { remove, stay } = await planGc(store, ['fedora'], { ...all, nowMs: Date.now() })
  expect([remove.length, stay.length]).toEqual([0, 1])
})

test('publications of one id at the same time get a number each, and both succeed', async () => {
  const versions = Array.from({ length: 6 }, (_, n) => String(40 + n))
  await Promise.all(versions.map((version) => publish('fedora', version)))
  const found = await store.versions('fedora')
  expect(found.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6])
  expect(found.filter(({ current }) => current)).toHaveLength(1)
  expect(await leftovers(trees)).toEqual([])
})
