import { execFileSync } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { importLocal } from '../../server/intake/import/import-tree.ts'
import { VersionStore } from '../../server/versions/version-store.ts'
import { requireClient } from '../support/clients.ts'
import { makeTree, namesBelow, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

/** A disc of two repositories as RHEL 9 has them, made by xorriso, with links, deep folders and times. */
function makeDisc() {
  const base = temporaryFolder()
  const disc = join(base, 'disc')
  const extra =
    '\n[variant-AppStream]\nid = AppStream\nuid = AppStream\nname = AppStream\ntype = variant\nrepository = AppStream\n'
  makeTree(disc, { family: 'AlmaLinux', version: '9.4', extra })
  for (const [folder, count] of [
    ['.', 3],
    ['AppStream', 40],
  ] as const) {
    for (let n = 0; n < count; n++)
      writeBelow(disc, `${folder}/Packages/${'deep/'.repeat(n % 12)}p${n}.txt`, `file ${n}`)
    execFileSync('createrepo_c', ['-q', join(disc, folder)], { stdio: 'ignore' })
  }
  // Longer than what the last test cuts off the image.
  writeBelow(disc, 'zz/last', Buffer.alloc(3 << 20, 9))
  symlinkSync('.', join(disc, 'alma'))
  symlinkSync('../images/install.img', join(disc, 'AppStream/stage2'))
  symlinkSync('not/there', join(disc, 'nowhere'))
  for (const [at, path] of namesBelow(disc).entries())
    if (lstatSync(join(disc, path)).isFile())
      utimesSync(join(disc, path), 1_600_000_000 + at, 1_600_000_000 + at)
  const image = join(base, 'alma.iso')
  execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-J', '-joliet-long', '-o', image, disc], {
    stdio: 'ignore',
  })
  const trees = join(base, 'trees')
  mkdirSync(trees)
  return { disc, image, trees, store: new VersionStore(trees) }
}

/** What a file is, for comparing: its bytes and time to the second, or where it links to. */
function fileAt(path: string): string {
  const stats = lstatSync(path)
  return stats.isSymbolicLink()
    ? `link to ${readlinkSync(path)}`
    : `${Math.floor(stats.mtimeMs / 1000)} ${readFileSync(path).toString('base64')}`
}

describe('a disc made by xorriso and createrepo_c', () => {
  beforeEach(() => void requireClient('xorriso', 'createrepo_c'))

  test('unpacked is the folder that it was made of: bytes, times and links', async () => {
    const { disc, image, trees, store } = makeDisc()
    const { trees: found, notes } = await importLocal(store, image, { id: 'alma', unpack: true })
    expect(notes).toEqual([])
    expect(found[0]?.result).toMatchObject({ outcome: 'published', findings: [] })
    const tree = join(trees, 'alma')
    expect(namesBelow(tree)).toEqual(namesBelow(disc))
    for (const path of namesBelow(disc)) expect(fileAt(join(tree, path)), path).toBe(fileAt(join(disc, path)))
  })

  test('takes the place of the same tree kept as an image, which stays an earlier version', async () => {
    const { image, trees, store } = makeDisc()
    await importLocal(store, image, { id: 'alma' })
    expect(readdirSync(trees).sort()).toEqual(['.treeboot', 'alma.iso'])
    await importLocal(store, image, { id: 'alma', unpack: true })
    expect(readdirSync(trees).sort()).toEqual(['.treeboot', 'alma'])
    expect((await store.versions('alma')).map(({ kind, current }) => [kind, current])).toEqual([
      ['iso', false],
      ['folder', true],
    ])
    await store.rollback('alma')
    expect(readdirSync(trees).sort()).toEqual(['.treeboot', 'alma.iso'])
  })

  test('cut off it is refused with the reason, even where faults are accepted: a file cannot be read', async () => {
    const { image, store } = makeDisc()
    truncateSync(image, statSync(image).size - (2 << 20))
    await expect(importLocal(store, image, { id: 'alma', unpack: true })).rejects.toThrow(
      /alma.iso is cut off: its last \d+ bytes are missing/,
    )
    const accept = { by: 'me', why: 'the rest does not matter' }
    await expect(importLocal(store, image, { id: 'alma', unpack: true, accept })).rejects.toThrow(
      'it was not copied completely',
    )
  })
})
