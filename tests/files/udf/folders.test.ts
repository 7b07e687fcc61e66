import { describe, expect, test } from 'vitest'
import { imageLimits } from '../../../server/core/limits/images.ts'
import { UdfFolders } from '../../../server/files/udf/folders.ts'
import { imageOf } from '../../support/iso/walk-image.ts'
import { fieldAt, identifier, seal, sectors, type UdfShape, writeUdf } from '../../support/iso/write-udf.ts'

const block = 512
const partitionAt = sectors.partition * block
const modifiedMs = Date.UTC(2024, 3, 14, 12)
const { size: sizeAt, area: areaAt } = fieldAt.fileEntry
/** File types of an ICB (ECMA-167 4/14.6.6, UDF 2.50 2.2.13). */
const types = { unspecified: 0, folder: 4, device: 6, pipe: 9, socket: 10, symlink: 12, realTime: 249 }

async function opened(files: UdfShape['files'], size?: number) {
  const written = writeUdf({ files, blockBytes: block })
  const folders = await UdfFolders.open(imageOf(written.bytes, size))
  const root = await folders.root()
  const entryOf = (path: string) => written.entries.get(path)?.at ?? expect.fail(path)
  const dataOf = (path: string) => written.data.get(path) ?? expect.fail(path)
  const child = (name: string) => folders.child(root, name)
  return { written, folders, root, entryOf, dataOf, child }
}

describe('a node', () => {
  test('has all that its file entry says, found in a listing or by its name', async () => {
    const { written, folders, root, entryOf, dataOf, child } = await opened({
      file: 'content',
      none: '',
      embedded: { bytes: 'inside', allocation: 'embedded' },
      pieces: { bytes: 'p'.repeat(600), pieceBlocks: 1 },
      'folder/file': 'x',
      link: { target: '../file' },
      unspecified: { type: types.unspecified, bytes: 'u' },
      video: { type: types.realTime, bytes: 'video' },
    })
    const file = { kind: 'file', modifiedMs }
    const inOne = (name: string, size: number) => ({
      ...file,
      name,
      size,
      extents: [{ offset: dataOf(name), length: size }],
    })
    const folderOf = (path: string) => ({
      kind: 'folder',
      size: 0,
      modifiedMs,
      extents: [{ offset: entryOf(path), length: block }],
      icb: { block: written.entries.get(path)?.block, partition: 0 },
    })
    const nodes = [
      inOne('file', 7),
      { ...file, name: 'none', size: 0, extents: [] },
      inOne('embedded', 6),
      {
        ...file,
        name: 'pieces',
        size: 600,
        extents: [
          { offset: dataOf('pieces'), length: block },
          { offset: dataOf('pieces') + 2 * block, length: 88 },
        ],
      },
      { name: 'folder', ...folderOf('folder') },
      { name: 'link', kind: 'symlink', size: 7, modifiedMs, extents: [], target: '../file' },
      inOne('unspecified', 1),
      inOne('video', 5),
    ]
    expect(root).toEqual({ name: '', ...folderOf('') })
    expect(await folders.children(root)).toEqual(nodes)
    for (const node of nodes) expect(await child(node.name)).toEqual(node)
    expect(await child('nothing')).toBeUndefined()
  })

  test.each([types.device, types.pipe, types.socket, 248, 250, 251, 252])(
    'of the type %d is left out',
    async (type) => {
      const { folders, root, child } = await opened({ special: { type }, file: 'x' })
      expect((await folders.children(root)).map(({ name }) => name)).toEqual(['file'])
      expect(await child('special')).toBeUndefined()
    },
  )

  test('that is no folder of UDF has nothing in it', async () => {
    const { folders, root, child } = await opened({ file: 'x' })
    const file = (await child('file')) ?? expect.fail('no file')
    for (const node of [file, { ...root, extents: [] }]) {
      await expect(folders.children(node)).rejects.toMatchObject({ kind: 'internal' })
      await expect(folders.child(node, 'file')).rejects.toMatchObject({ kind: 'internal' })
    }
  })
})

test.each(['device', 'file', 'link'])('a root that is a %s is refused', async (name) => {
  const { bytes, entries, fileSetAt } = writeUdf({
    files: { device: { type: types.device }, file: 'x', link: { target: 'file' } },
    blockBytes: block,
  })
  const rootAt = fileSetAt + fieldAt.fileSet.root
  bytes.writeUInt32LE(entries.get(name)?.block ?? 0, rootAt + 4)
  seal(bytes, fileSetAt)
  await expect((await UdfFolders.open(imageOf(bytes))).root()).rejects.toThrow(
    `x.iso, byte ${rootAt}: expected the file entry of the root folder`,
  )
})

describe('a damaged', () => {
  const spoil = async (files: UdfShape['files'], path: string) => {
    const image = await opened(files)
    const { written, entryOf } = image
    // The tag, of 16 bytes.
    written.bytes.fill(0, entryOf(path), entryOf(path) + 16)
    const folders = await UdfFolders.open(imageOf(written.bytes))
    return { ...image, folders, nodes: await folders.children(image.root) }
  }
  /** A file of a listing that cannot be read. */
  const troubled = (name: string, kind: string, message: string) => ({
    name,
    kind: 'file',
    size: 0,
    modifiedMs: 0,
    extents: [],
    trouble: { kind, message },
  })

  test('file is listed with its trouble beside the others', async () => {
    const { nodes, folders, root, entryOf } = await spoil({ bad: 'x', good: 'y' }, 'bad')
    const message = `x.iso, byte ${entryOf('bad')}: expected a file entry (UDF) (tag 261 or 266), found the tag 0`
    expect(nodes).toEqual([
      troubled('bad', 'invalid-data', message),
      expect.objectContaining({ name: 'good' }),
    ])
    expect(nodes[1]).not.toHaveProperty('trouble')
    await expect(folders.child(root, 'bad')).rejects.toMatchObject({ kind: 'invalid-data', message })
  })

  test('folder is not listed, and a request for it says why', async () => {
    const { nodes, folders, root, entryOf } = await spoil({ 'bad/file': 'x', good: 'y' }, 'bad')
    expect(nodes.map(({ name }) => name)).toEqual(['good'])
    await expect(folders.child(root, 'bad')).rejects.toThrow(`x.iso, byte ${entryOf('bad')}: expected a file`)
  })

  test('symlink is listed with the byte of its components', async () => {
    const { folders, root, dataOf } = await opened({ link: { type: types.symlink, bytes: 'not a link' } })
    const message = `x.iso, byte ${dataOf('link')}: expected the path components of a symlink`
    expect(await folders.children(root)).toEqual([troubled('link', 'invalid-data', message)])
  })

  test('or large symlink is listed with the byte of its size', async () => {
    const length = imageLimits.imageLink.bytes + 1
    const link = { type: types.symlink, pieces: [{ block: 0, length }] }
    const { folders, root, entryOf } = await opened({ link }, partitionAt + 2 * length)
    const message = `x.iso, byte ${entryOf('link') + sizeAt}: the file entry claims a symlink of ${length} bytes`
    expect(await folders.children(root)).toEqual([troubled('link', 'invalid-data', message)])
  })

  test('file with a hole, which treeboot does not read, is listed', async () => {
    const pieces = [
      { block: 0, length: block },
      { block: 9, length: 3 * block, kind: 1 },
    ]
    const { folders, root, entryOf } = await opened({ file: { pieces } })
    expect(await folders.children(root)).toEqual([
      troubled(
        'file',
        'unsupported',
        expect.stringMatching(
          `^x.iso, byte ${entryOf('file') + areaAt + 8}: a file has a hole of 1536 bytes`,
        ),
      ),
    ])
  })
})

describe('the names of a folder in pieces', () => {
  /** Bytes of each descriptor, so that some begin with a block, and one crosses the end of a block. */
  const sizes = [104, 104, 104, 200, 128, 128, 128, 128, 192, 192, 192, 192, 256, 512, 128]
  /** A name of one letter, in a partition that is not there: a look-up says where its descriptor is. */
  const named = (i: number, size: number) =>
    identifier({ name: String.fromCharCode(97 + i), block: 0, partition: 9, use: Buffer.alloc(size - 40) })

  test('have the byte of the image at which they begin', async () => {
    const bytes = Buffer.concat(sizes.map((size, i) => named(i, size)))
    const { folders, child, dataOf } = await opened({ big: { type: types.folder, bytes, pieceBlocks: 1 } })
    const big = (await child('big')) ?? expect.fail('no folder')
    let position = 0
    for (const [i, size] of sizes.entries()) {
      // A foreign block follows each of the folder.
      const at = dataOf('big') + Math.floor(position / block) * 2 * block + (position % block)
      await expect(folders.child(big, String.fromCharCode(97 + i))).rejects.toThrow(
        `x.iso, byte ${at}: names the partition 9, but the volume has 1`,
      )
      position += size
    }
  })

  test('may lie in pieces that follow each other', async () => {
    const bytes = Buffer.concat(sizes.map((size, i) => named(i, size)))
    const { dataOf } = await opened({ file: { bytes }, big: { type: types.folder } })
    const first = (dataOf('file') - partitionAt) / block
    const pieces = [0, 1, 2, 3, 4].map((i) => ({ block: first + i, length: block }))
    const { folders, child } = await opened({ file: { bytes }, big: { type: types.folder, pieces } })
    const big = (await child('big')) ?? expect.fail('no folder')
    // Descriptor 13 begins at byte 2048, the first of the fifth block.
    await expect(folders.child(big, 'n')).rejects.toThrow(`x.iso, byte ${dataOf('file') + 2048}: `)
  })
})

test('a folder may have so many bytes, and no more', async () => {
  const { bytes: most } = imageLimits.imageFolder
  const folderOf = (length: number) => ({ type: types.folder, pieces: [{ block: 1000, length }] })
  const { folders, child, entryOf } = await opened(
    { full: folderOf(most), over: folderOf(most + 1) },
    partitionAt + 1000 * block + most + 1,
  )
  const listing = async (name: string) => folders.children((await child(name)) ?? expect.fail(name))
  // The image has only zeros there.
  await expect(listing('full')).rejects.toThrow(
    `x.iso, byte ${partitionAt + 1000 * block}: expected a file identifier descriptor (tag 257), found the tag 0`,
  )
  await expect(listing('over')).rejects.toThrow(
    `x.iso, byte ${entryOf('over') + sizeAt}: the file entry claims a folder of ${most + 1} bytes`,
  )
})
