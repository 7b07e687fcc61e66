import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createTreeIndex } from '../../server/core/select/select.ts'
import type { Tree } from '../../server/core/tree/tree.ts'
import { diskSource } from '../../server/files/disk.ts'
import { behindLink } from '../../server/files/entry.ts'
import { withoutFolder } from '../../server/files/hidden.ts'
import { cleanPath } from '../../server/files/path.ts'
import type { FileSource } from '../../server/files/source.ts'
import { noMachines } from '../../server/machines/no-machines.ts'
import { treesSource } from '../../server/namespace/trees.ts'
import { anyone } from '../contract/file-source.ts'
import { writeIso } from '../support/iso/write-iso.ts'
import { stat, text } from '../support/sources.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'
import { fakeTree } from '../support/trees.ts'

async function targetsIn(source: FileSource, path: string) {
  const listed = (await source.list(cleanPath(path), anyone)) ?? []
  return Object.fromEntries(listed.map(({ name, target }) => [name, target]))
}

/** A folder tree, a published tree, an image, and links in and between them. */
function served(): FileSource {
  const folder = temporaryFolder()
  const version = '.treeboot/trees/published/1'
  for (const place of ['plain', version]) {
    writeBelow(join(folder, place), 'dists/trixie/Release', 'release')
    symlinkSync('.', join(folder, place, 'debian'))
    symlinkSync('trixie', join(folder, place, 'dists/stable'))
    symlinkSync('../plain', join(folder, place, 'beside'))
  }
  mkdirSync(join(folder, 'other'))
  symlinkSync(version, join(folder, 'published'))
  symlinkSync('../../../../plain', join(folder, version, 'real'))
  symlinkSync('plain', join(folder, 'linked'))
  symlinkSync('plain', join(folder, 'alias'))
  symlinkSync('../plain/dists', join(folder, 'other/dists'))
  const image = { 'dists/trixie/Release': 'release', debian: { target: '.' }, out: { target: '../plain' } }
  writeFileSync(join(folder, 'disc.iso'), writeIso({ files: image }).bytes)
  const tree = (id: string, more: Partial<Tree> = {}): Tree =>
    fakeTree({ id, origin: { kind: 'folder', path: join(folder, id) }, ...more })
  const trees = createTreeIndex([
    tree('plain'),
    tree('linked'),
    tree('published', {
      origin: { kind: 'folder', path: join(folder, version) },
      release: { id: 'published', version: 1, folder: '' },
    }),
    tree('disc', { origin: { kind: 'iso', path: join(folder, 'disc.iso'), name: 'disc.iso' } }),
  ])
  const disk = withoutFolder(diskSource(folder, { showLinks: true }), cleanPath('/.treeboot'))
  return treesSource({ snapshot: () => ({ trees }), disk, folder: () => folder, machines: noMachines })
}

test('links inside a tree are shown, those that lead out of it are not', async () => {
  const source = served()
  expect(await targetsIn(source, '/plain')).toMatchObject({
    debian: '.',
    beside: undefined,
    dists: undefined,
  })
  expect(await targetsIn(source, '/published')).toMatchObject({ debian: '.', dists: undefined })
  expect(await targetsIn(source, '/disc')).toMatchObject({ debian: '.', dists: undefined })
  for (const tree of ['/plain', '/linked', '/published'])
    expect(await targetsIn(source, `${tree}/dists`), tree).toEqual({ stable: 'trixie', trixie: undefined })
  expect(await stat(source, '/disc/out')).toBeUndefined()
  // Trees may link to one another, and such a link is what it leads to.
  for (const path of ['/plain/beside', '/published/real']) {
    expect(await stat(source, path), path).toMatchObject({ kind: 'folder' })
    expect(await stat(source, path), path).not.toHaveProperty('target')
    expect(await text(source, `${path}/dists/stable/Release`)).toBe('release')
  }
})

test('a tree is a folder, however it lies on the disk; another name for one is a link', async () => {
  const source = served()
  expect(await targetsIn(source, '/')).toEqual({
    ...{ alias: 'plain', disc: undefined, 'disc.iso': undefined, linked: undefined },
    ...{ other: undefined, plain: undefined, published: undefined },
  })
  for (const path of ['/linked', '/published', '/plain', '/disc'])
    expect(await stat(source, path), path).not.toHaveProperty('target')
  expect(await targetsIn(source, '/other')).toEqual({ dists: '../plain/dists' })
})

test('what is listed is what a lookup finds', async () => {
  const source = served()
  for (const folder of ['/', '/plain', '/linked', '/published', '/disc', '/other', '/plain/dists'])
    for (const entry of (await source.list(cleanPath(folder), anyone)) ?? []) {
      const found = await stat(source, `${folder}/${entry.name}`)
      expect(found, `${folder}/${entry.name}`).toMatchObject({ name: entry.name, kind: entry.kind })
      expect(found?.target, `${folder}/${entry.name}`).toBe(entry.target)
      expect(found && behindLink(found)).not.toHaveProperty('target')
    }
})
