import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mirrorTree } from '../../../server/intake/mirror/mirror-tree.ts'
import { VersionStore } from '../../../server/versions/version-store.ts'
import { faultyServer } from '../../support/faulty-server.ts'
import { makeRepository } from '../../support/rpm-repository.ts'
import { makeTree, temporaryFolder } from '../../support/tree-folder.ts'

const packages = { 'a-1-1.noarch.rpm': 'package a\n', 'b-1-1.noarch.rpm': 'package b\n' }

/** Mirrors a tree whose packages have this `xml:base`. */
async function mirrored(base: string) {
  const [upstream, trees] = [temporaryFolder(), temporaryFolder()]
  makeTree(join(upstream, 'tree'))
  makeRepository(join(upstream, 'tree'), packages, base)
  const server = await faultyServer(upstream)
  const result = await mirrorTree(new VersionStore(trees), [`${server.url}/tree/`], { id: 'tree' })
  const files = readdirSync(join(trees, 'tree'), { recursive: true, encoding: 'utf8' })
  return { ...result, rpms: files.filter((file) => file.endsWith('.rpm')).sort(), trees, files }
}

test.each(['pool', 'pool/', './other/../pool/'])('packages below the base %j are fetched', async (base) => {
  const { trees, rpms, notes } = await mirrored(base)
  expect(rpms).toEqual(['pool/a-1-1.noarch.rpm', 'pool/b-1-1.noarch.rpm'])
  expect(statSync(join(trees, 'tree/pool/a-1-1.noarch.rpm')).size).toBe(10)
  expect(notes).toEqual([])
})

test('packages of another server are counted, and those of other CDs left out', async () => {
  const elsewhere = await mirrored('http://other.example/os/')
  expect(elsewhere.rpms).toEqual([])
  expect(elsewhere.notes).toEqual([expect.stringMatching(/^repodata\/.* 2 files .*other\.example/)])
  expect(await mirrored('media://1169139240.012345#2')).toMatchObject({ rpms: [], notes: [] })
})

test('a base that leads out of the tree is refused', async () => {
  await expect(mirrored('../pool')).rejects.toMatchObject({
    kind: 'invalid-data',
    message: expect.stringMatching(/^\.\.\/pool\/[ab]-1-1\.noarch\.rpm leads out of the tree$/),
  })
})
