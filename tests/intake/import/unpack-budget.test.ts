import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { imageLimits } from '../../../server/core/limits/images.ts'
import { type ImportOptions, importLocal } from '../../../server/intake/import/import-tree.ts'
import { treePath } from '../../../server/intake/import/tree-path.ts'
import { UnpackBudget } from '../../../server/intake/import/unpack-budget.ts'
import { VersionStore } from '../../../server/versions/version-store.ts'
import { withAddress } from '../../support/iso/hostile-udf.ts'
import { writeIso } from '../../support/iso/write-iso.ts'
import { writeUdf } from '../../support/iso/write-udf.ts'
import { type TarSpec, tarOf } from '../../support/tar.ts'
import { imagesOfTree, temporaryFolder, treeinfoText } from '../../support/tree-folder.ts'

const tree = { ...imagesOfTree(), '.treeinfo': treeinfoText() }
const treeEntries: TarSpec[] = Object.entries(tree).map(([path, data]) => ({ path, data }))

/** Imports a file; returns the failure and what is left below `trees/`. */
async function refused(bytes: Uint8Array, options: ImportOptions = {}) {
  const base = temporaryFolder()
  const trees = join(base, 'trees')
  mkdirSync(trees)
  writeFileSync(join(base, 'download'), bytes)
  const failure: unknown = await importLocal(new VersionStore(trees), join(base, 'download'), options).then(
    () => undefined,
    (error: unknown) => error,
  )
  return { failure, left: readdirSync(join(trees, '.treeboot')) }
}

const zeros = { path: 'zeros', data: Buffer.alloc(16 << 20) }
const mib = 1 << 20

test.each<[string, Uint8Array]>([
  ['a file that is mostly zeros', gzipSync(tarOf([...treeEntries, zeros]))],
  [
    'many files',
    gzipSync(tarOf([...treeEntries, ...Array(9).fill({ path: 'f', data: Buffer.alloc(mib / 8) })])),
  ],
  ['a device with content', gzipSync(tarOf([...treeEntries, { ...zeros, type: '3' }]))],
])('an archive that unpacks to too much, by %s, is refused, and nothing of it stays', async (_, archive) => {
  const { failure, left } = await refused(archive, { maxUnpackedBytes: mib })
  expect(failure).toMatchObject({
    kind: 'too-large',
    message: expect.stringMatching(/at most 1048576; .*import\.max-unpacked/),
  })
  expect(left).toEqual([])
})

test.each([
  ['a header', [{ path: 'pax', type: 'x', data: Buffer.alloc(imageLimits.tarHeaders.bytes + 1) }]],
  ['a row of headers', Array<TarSpec>(imageLimits.tarHeaders.entries + 1).fill({ path: 'pax', type: 'x' })],
])('an archive with %s that is too long is refused, and not published', async (_, headers) => {
  const { failure, left } = await refused(tarOf([...treeEntries, ...headers, { path: 'f' }]))
  expect(failure).toMatchObject({ kind: 'invalid-data', message: expect.stringMatching(/header/) })
  expect(left).not.toContain('versions')
})

test('an image that unpacks to too much is refused, and is published when it stays an image', async () => {
  const { bytes } = writeIso({ files: { ...tree, big: Buffer.alloc(2 * mib) } })
  const options = { maxUnpackedBytes: mib }
  expect(await refused(bytes, { ...options, unpack: true })).toMatchObject({
    failure: { kind: 'too-large', message: expect.stringContaining('import.max-unpacked') },
    left: [],
  })
  expect(await refused(bytes, options)).toEqual({ failure: undefined, left: ['versions'] })
})

test('a file that does not fit on the disk is refused before its first byte, and nothing stays', async () => {
  // A pax header says the size: a pebibyte.
  const size: TarSpec = { path: 'pax', type: 'x', data: '25 size=1125899906842624\n' }
  const archive = tarOf([...treeEntries, size, { path: 'large', data: 'x' }])
  const { failure, left } = await refused(archive, { maxUnpackedBytes: 2 ** 53 })
  expect(failure).toMatchObject({
    kind: 'too-large',
    message: expect.stringMatching(/^large needs 1125899906842624 bytes/),
  })
  expect(left).toEqual([])
})

test.each([
  ['2,049 bytes', `${'a/'.repeat(24)}${'b'.repeat(200)}/`.repeat(9).slice(0, 2049), 'more than 2048 bytes'],
  ['129 folders', 'a/'.repeat(128).concat('b'), 'more than 128 folders'],
  ['a name of 256 bytes', 'é'.repeat(128), 'a name of more than 255 bytes'],
])('a path with %s is refused', (_, path, message) => {
  expect(() => treePath(path)).toThrow(message)
})

test('an archive or image has a bounded number of entries', () => {
  const budget = new UnpackBudget('x.tar')
  for (let n = 0; n < imageLimits.unpacked.entries; n++) budget.add('f', 0)
  expect(() => budget.add('next', 0)).toThrow(
    expect.objectContaining({ kind: 'too-large', message: expect.stringMatching(/250000 .*"next"/) }),
  )
})

const shape = { ...tree, 'A/f': 'x', 'B/f': 'x' }

test.each<[string, () => Buffer]>([
  [
    'ISO 9660',
    () => {
      const { bytes, folders } = writeIso({ files: shape })
      const [a, b] = ['A', 'B'].map((path) => folders.get(path)?.block ?? 0)
      // The block of a directory is in its record twice, low byte first and high byte first (ECMA-119 7.3.3).
      const both = (block = 0) => {
        const field = Buffer.alloc(8)
        field.writeUInt32LE(block)
        field.writeUInt32BE(block, 4)
        return field
      }
      both(a).copy(bytes, bytes.indexOf(both(b)))
      return bytes
    },
  ],
  [
    'UDF',
    () => {
      const written = writeUdf({ files: shape })
      return withAddress(written, 'B', written.entries.get('A')?.block ?? 0, '').bytes
    },
  ],
])('an image (%s) with one folder at two paths is not unpacked', async (_, image) => {
  const { failure } = await refused(image(), { unpack: true })
  expect(failure).toMatchObject({
    kind: 'invalid-data',
    message: expect.stringMatching(/^\/A and \/B are one folder/),
  })
})
