import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mirrorTree } from '../../../server/intake/mirror/mirror-tree.ts'
import { VersionStore } from '../../../server/versions/version-store.ts'
import { faultyServer } from '../../support/faulty-server.ts'
import { makeTree, temporaryFolder, treeinfoText, writeBelow } from '../../support/tree-folder.ts'

test('a file of the current version is not written to when its digest is not named any more', async () => {
  const base = temporaryFolder()
  const [upstream, trees] = [join(base, 'upstream'), join(base, 'trees')]
  for (const folder of [upstream, trees]) mkdirSync(folder)
  makeTree(upstream)
  const { url } = await faultyServer(upstream)
  const mirror = () => mirrorTree(new VersionStore(trees), [url], { id: 'f' })
  await mirror()
  // The run ends with an error, after `install.img` became a hard link to the file of the current version.
  writeBelow(upstream, '.treeinfo', treeinfoText({ extra: `images/new.img = sha256:${'0'.repeat(64)}\n` }))
  writeBelow(upstream, 'images/new.img', 'damaged')
  await expect(mirror()).rejects.toMatchObject({ kind: 'invalid-data' })
  writeBelow(upstream, '.treeinfo', treeinfoText({ checksums: false }))
  writeBelow(upstream, 'images/install.img', 'another')
  await mirror()
  const image = (version: number) =>
    readFileSync(join(trees, '.treeboot/versions/f', String(version), 'images/install.img'), 'utf8')
  expect([image(1), image(2)]).toEqual(['second stage of 40\n', 'another'])
})
