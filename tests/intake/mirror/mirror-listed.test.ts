import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mirrorTree } from '../../../server/intake/mirror/mirror-tree.ts'
import { expectSame, ftpServing, mirrorInputs } from '../../support/mirror.ts'
import { makeRepository, somePackages } from '../../support/rpm-repository.ts'
import { makeTree, writeBelow } from '../../support/tree-folder.ts'

/** Mirrors of trees without a `.treeinfo`: what the upstream lists. */

test('a tree without .treeinfo is fetched by its index pages', async () => {
  const { upstream, trees, mirror } = await mirrorInputs()
  writeBelow(upstream, 'd/debian-installer/amd64/linux', 'kernel')
  writeBelow(upstream, 'd/debian-installer/amd64/initrd.gz', 'initrd')
  writeBelow(upstream, 'd/version.info', 'Debian version:  12 (bookworm)\n')
  const { trees: found } = await mirror('/d/', { id: 'd' })
  expect(found[0]?.result.outcome).toBe('published')
  expectSame(join(upstream, 'd'), join(trees, 'd'))
})

test('a listing that fails is retried, and half a tree is never published', async () => {
  const { upstream, trees, mirror, server, pauses } = await mirrorInputs()
  writeBelow(upstream, 'd/debian-installer/amd64/linux', 'kernel')
  writeBelow(upstream, 'd/debian-installer/amd64/initrd.gz', 'initrd')
  writeBelow(upstream, 'd/debian-installer/amd64/boot-screens/f1.txt', 'help')
  writeBelow(upstream, 'd/version.info', 'Debian version:  12 (bookworm)\n')
  server.faultOf = (path, time) => {
    if (path.endsWith('/boot-screens/') && time === 1) return { kind: 'status', status: 503, retryAfter: '9' }
    // As S3 answers for a file that does not exist.
    return path.endsWith('/.treeinfo') ? { kind: 'status', status: 403 } : undefined
  }
  const { trees: found } = await mirror('/d/', { id: 'd' })
  expect(found[0]?.result.outcome).toBe('published')
  expect(pauses).toEqual([9000])
  expectSame(join(upstream, 'd'), join(trees, 'd'))
  server.faultOf = (path) => (path.endsWith('/boot-screens/') ? { kind: 'status', status: 503 } : undefined)
  await expect(mirror('/d/', { id: 'e' })).rejects.toThrow(
    /\/d\/debian-installer\/amd64\/boot-screens\/ .*503/,
  )
  expect(existsSync(join(trees, 'e'))).toBe(false)
})

test('over FTP trees are fetched with .treeinfo, and without it by their listings', async () => {
  const { upstream, trees, store, fetching } = await mirrorInputs()
  makeTree(join(upstream, 'f'))
  makeRepository(join(upstream, 'f'), somePackages(8))
  writeBelow(upstream, 'd/debian-installer/amd64/linux', 'kernel')
  writeBelow(upstream, 'd/debian-installer/amd64/initrd.gz', 'initrd')
  writeBelow(upstream, 'd/version.info', 'Debian version:  12 (bookworm)\n')
  const base = await ftpServing(upstream)
  for (const id of ['f', 'd']) {
    const { trees: found } = await mirrorTree(store, [`${base}/${id}/`], { fetching, id })
    expect(found[0]?.result.outcome).toBe('published')
    expectSame(join(upstream, id), join(trees, id))
  }
  expect((await mirrorTree(store, [`${base}/f/`], { fetching, id: 'f' })).unchanged).toBe(true)
})

test('a second run without digests fetches changed files, and of the others only what follows their last byte', async () => {
  const { upstream, trees, server, mirror } = await mirrorInputs()
  for (let n = 0; n < 12; n++) writeBelow(upstream, `d/more/${n}`, `file ${n} ${'x'.repeat(100)}`)
  writeBelow(upstream, 'd/debian-installer/amd64/linux', 'kernel')
  writeBelow(upstream, 'd/debian-installer/amd64/initrd.gz', 'initrd')
  writeBelow(upstream, 'd/version.info', 'Debian version:  12 (bookworm)\n')
  server.faultOf = (path) => (path.endsWith('version.info') ? { kind: 'status', status: 500 } : undefined)
  await expect(mirror('/d/', { id: 'd' })).rejects.toThrow('version.info')
  const first = server.requests.filter((line) => /\/more\/\d+$/.test(line))
  expect(first.length).toBeGreaterThan(3)
  writeBelow(upstream, 'd/more/3', 'another file, and longer than the one before it was: '.repeat(4))
  server.faultOf = () => undefined
  server.requests.length = 0
  expect((await mirror('/d/', { id: 'd' })).trees[0]?.result.outcome).toBe('published')
  // Each is asked for from its last byte on, if it has not changed (If-Range); a changed one comes whole.
  for (const line of first) {
    const again = server.requests.filter((each) => each.startsWith(`${line} `) || each === line)
    expect(again).toEqual([expect.stringMatching(/ bytes=\d+-$/)])
  }
  expectSame(join(upstream, 'd'), join(trees, 'd'))
})
