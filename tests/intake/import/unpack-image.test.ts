import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { importLocal } from '../../../server/intake/import/import-tree.ts'
import { VersionStore } from '../../../server/versions/version-store.ts'
import { sharedIsoFolders, sharedUdfFolders } from '../../support/iso/shared-folders.ts'
import { type IsoShape, writeIso } from '../../support/iso/write-iso.ts'
import { imagesOfTree, namesBelow, temporaryFolder, treeinfoText } from '../../support/tree-folder.ts'

const id = 'fedora-40-server-x86_64'

const shape = (more: IsoShape['files'] = {}): IsoShape => ({
  files: { '.treeinfo': treeinfoText(), ...imagesOfTree(), ...more },
  // Where discs keep names that do not fit into a directory record.
  continuation: true,
})

function inputs(image: Uint8Array) {
  const base = temporaryFolder()
  const trees = join(base, 'trees')
  mkdirSync(trees)
  const file = join(base, 'download')
  writeFileSync(file, image)
  const store = new VersionStore(trees)
  const unpack = (options = {}) => importLocal(store, file, { unpack: true, ...options })
  return { trees, file, store, unpack }
}

test('the content of the image becomes a folder, with symlinks as they are written', async () => {
  const long = `Packages/${'long-name-'.repeat(15)}.rpm`
  const { bytes } = writeIso(
    shape({
      [long]: 'package',
      'empty/none': '',
      boot: { target: 'images/pxeboot' },
      'images/pxeboot/linux': { target: 'vmlinuz' },
      nowhere: { target: 'not/there' },
      self: { target: '.' },
      out: { target: '../../etc/passwd' },
      absolute: { target: '/etc/passwd' },
    }),
  )
  const { trees, unpack } = inputs(bytes)
  const { trees: found, notes } = await unpack()
  expect(found[0]).toMatchObject({ id, result: { outcome: 'published', record: { kind: 'folder' } } })
  const at = (path: string) => join(trees, id, path)
  for (const [path, text] of Object.entries({ ...imagesOfTree(), [long]: 'package', 'empty/none': '' }))
    expect(readFileSync(at(path), 'utf8')).toBe(text)
  expect(['boot', 'images/pxeboot/linux', 'nowhere', 'self'].map((path) => readlinkSync(at(path)))).toEqual([
    'images/pxeboot',
    'vmlinuz',
    'not/there',
    '.',
  ])
  expect(notes).toHaveLength(2)
  expect(notes.join()).toMatch(/out is left out.*absolute is left out|absolute is left out.*out is left out/)
})

test('a damaged file in the image is named, and nothing is published', async () => {
  const { bytes, files } = writeIso(shape())
  const sectorBytes = 2048
  const at = (files.get('images/install.img')?.block ?? 0) * sectorBytes
  bytes[at] = (bytes[at] ?? 0) ^ 1
  const { trees, unpack } = inputs(bytes)
  expect((await unpack()).trees[0]?.result).toMatchObject({
    outcome: 'refused',
    // The warning: `.treeinfo` names the tree itself as a repository, and there is no repodata.
    findings: [{ path: 'images/install.img' }, { severity: 'warning', path: '.' }],
  })
  expect(readdirSync(trees)).toEqual(['.treeboot'])
})

test('an image that is cut off is refused before anything is published', async () => {
  const { bytes } = writeIso(shape({ big: Buffer.alloc(2 << 20, 7), last: 'the last file' }))
  const { unpack, trees } = inputs(bytes.subarray(0, bytes.length - (1 << 20)))
  await expect(unpack()).rejects.toThrow(/is cut off: its last 1048576 bytes are missing/)
  expect(existsSync(join(trees, id))).toBe(false)
})

test('an interrupted unpacking is invisible and is resumed; importing the image as it is starts from the beginning', async () => {
  // With the three images and the .treeinfo, 24 files.
  const more = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`more/${n}`, `file ${n}`]))
  const { trees, store, file, unpack } = inputs(writeIso(shape(more)).bytes)
  const aborter = new AbortController()
  const onProgress = ({ files = 0 }) => {
    if (files >= 12) aborter.abort()
  }
  await expect(unpack({ signal: aborter.signal, onProgress })).rejects.toThrow()
  expect(readdirSync(trees)).toEqual(['.treeboot'])
  const incoming = join(trees, '.treeboot/incoming')
  const begun = join(incoming, readdirSync(incoming)[0] ?? '', 'tree')
  const inodes = namesBelow(begun).map((path) => lstatSync(join(begun, path)).ino)
  // When the 12th file was reported, eleven were complete.
  expect(inodes.length).toBeGreaterThanOrEqual(11)
  expect(inodes.length).toBeLessThan(24)
  const second = await unpack()
  expect(second.resumed).toBe(true)
  const now = namesBelow(join(trees, id)).map((path) => lstatSync(join(trees, id, path)).ino)
  expect(now).toHaveLength(24)
  expect(now).toEqual(expect.arrayContaining(inodes))

  await expect(unpack({ signal: AbortSignal.abort(), id: 'kept' })).rejects.toThrow()
  const kept = await importLocal(store, file, { id: 'kept' })
  expect(kept.resumed).toBe(false)
  expect(kept.trees.map(({ result }) => result)).toMatchObject([{ record: { kind: 'iso', files: 1 } }])
})

test.each([
  ['ISO 9660', sharedIsoFolders],
  ['UDF', sharedUdfFolders],
])('an image of %s with a folder under two paths is refused, and nothing is published', async (_, make) => {
  // All paths are 2^13.
  const { trees, unpack } = inputs(make(13, { '.treeinfo': treeinfoText(), ...imagesOfTree() }))
  await expect(unpack()).rejects.toThrow(/\/.* and \/.* are one folder in the image/)
  expect(existsSync(join(trees, id))).toBe(false)
})
