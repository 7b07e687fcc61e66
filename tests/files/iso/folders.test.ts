import { describe, expect, test } from 'vitest'
import { imageLimits } from '../../../server/core/limits/images.ts'
import { IsoFolders } from '../../../server/files/iso/folders.ts'
import type { Image } from '../../../server/files/iso/image.ts'
import type { IsoNode } from '../../../server/files/iso/node.ts'
import { readVolumes } from '../../../server/files/iso/volume.ts'
import { type OwnRecord, withRecords } from '../../support/iso/own-records.ts'
import { imageOf } from '../../support/iso/walk-image.ts'
import { continuationField, field, type IsoShape, writeIso } from '../../support/iso/write-iso.ts'

const nm = (name: string, flags = 0) => field('NM', Buffer.from([flags]), Buffer.from(name))
const px = (mode: number) => field('PX', Buffer.from([mode & 0xff, mode >> 8, 0, 0]))
const cl = (block: number) => field('CL', Buffer.from([block, 0, 0, 0, 0, 0, 0, block]))
const sp = (skip = 0) => field('SP', Buffer.from([0xbe, 0xef, skip]))

async function openFolders(image: Image): Promise<IsoFolders> {
  const folders = await IsoFolders.open(image, await readVolumes(image))
  return folders ?? expect.fail('no ISO 9660')
}
const children = async (folders: IsoFolders) => folders.children(await folders.root())
const child = async (folders: IsoFolders, name: string) => folders.child(await folders.root(), name)
/** The nodes in the root of an image. */
const nodesOf = async (bytes: Buffer): Promise<readonly IsoNode[]> =>
  children(await openFolders(imageOf(bytes)))
/** The nodes in a root of these records, behind its own with SP. */
const nodesFrom = (records: readonly OwnRecord[], shape: Omit<IsoShape, 'files'> = {}) => {
  const first = { name: '\0', flags: 2, fields: shape.rockRidge === false ? [] : [sp()] }
  return nodesOf(withRecords(writeIso({ files: {}, ...shape }), '', [first, ...records]))
}
const namesFrom = async (records: readonly OwnRecord[], shape: Omit<IsoShape, 'files'> = {}) =>
  (await nodesFrom(records, shape)).map(({ name }) => name)

describe('the nodes of a folder', () => {
  test('have what their records say', async () => {
    const modifiedMs = Date.UTC(2024, 3, 14, 12)
    const written = writeIso({
      files: { file: 'content', 'folder/x': '', link: { target: 'file' }, none: '' },
    })
    const block = (place: { block: number } | undefined) => (place?.block ?? 0) * 2048
    expect(await nodesOf(written.bytes)).toEqual([
      {
        name: 'file',
        kind: 'file',
        size: 7,
        modifiedMs,
        extents: [{ offset: block(written.files.get('file')), length: 7 }],
      },
      {
        name: 'folder',
        kind: 'folder',
        size: 0,
        modifiedMs,
        extents: [{ offset: block(written.folders.get('folder')), length: 2048 }],
      },
      { name: 'link', kind: 'symlink', size: 4, modifiedMs, extents: [], target: 'file' },
      { name: 'none', kind: 'file', size: 0, modifiedMs, extents: [] },
    ])
  })

  test('have the time of TF, if it has one', async () => {
    const tf = field('TF', Buffer.from([2, 100, 1, 2, 3, 4, 5, 0]))
    expect(await nodesFrom([{ name: 'A', fields: [tf] }])).toMatchObject([
      { modifiedMs: Date.UTC(2000, 0, 2, 3, 4, 5) },
    ])
  })

  test('the folder itself and its parent are left out, also under a name of Rock Ridge', async () => {
    const self = { name: '\0', flags: 2, fields: [sp(), nm('self')] }
    const parent = { name: '\x01', flags: 2, fields: [nm('parent')] }
    const other = { name: '\x02', fields: [nm('other')] }
    expect(await namesFrom([self, parent, other])).toEqual(['other'])
  })

  test('associated files are left out, and interleaved ones are refused', async () => {
    for (const shape of [{}, { rockRidge: false }]) {
      const nodes = await nodesFrom(
        [
          { name: 'A', flags: 4 },
          { name: 'B', interleave: [1, 0] },
          { name: 'C', interleave: [0, 1] },
          { name: 'D' },
        ],
        shape,
      )
      expect(nodes.map(({ name, trouble }) => [name, trouble?.kind])).toEqual([
        ['b', 'unsupported'],
        ['c', 'unsupported'],
        ['d', undefined],
      ])
    }
  })

  test('devices, pipes and sockets are left out; a link or a mode without a type is not', async () => {
    const modes = { regular: 0o100644, folder: 0o040755, none: 0o644 }
    const hidden = { pipe: 0o010644, char: 0o020644, block: 0o060644, link: 0o120777, socket: 0o140644 }
    const records = Object.entries({ ...modes, ...hidden }).map(([name, mode], i) => ({
      name: `F${i}`,
      fields: [nm(name), px(mode)],
    }))
    const link = { name: 'L', fields: [nm('linked'), px(0o120777), field('SL', Buffer.from([0, 2, 0]))] }
    expect(await namesFrom([...records, link])).toEqual(['regular', 'folder', 'none', 'linked'])
  })

  test('of two versions the first counts', async () => {
    const nodes = await nodesFrom([
      { name: 'A;2', block: 16, length: 2 },
      { name: 'A;1', block: 17, length: 1 },
    ])
    expect(nodes).toMatchObject([{ name: 'a', size: 2 }])
    expect(nodes).toHaveLength(1)
  })

  test('pieces without their last one are dropped when another file begins', async () => {
    const nodes = await nodesFrom([
      { name: 'A', block: 16, length: 2048, flags: 0x80 },
      { name: 'A', block: 17, length: 2048, flags: 0x80 },
      { name: 'B', block: 18, length: 2048, flags: 0x80 },
      { name: 'B', block: 19, length: 10 },
    ])
    expect(nodes).toMatchObject([{ name: 'b', size: 2058, extents: [{ offset: 18 * 2048, length: 2058 }] }])
  })

  test('a folder has one piece, whatever its flags', async () => {
    expect(
      await nodesFrom([{ name: 'A', block: 16, length: 2048, flags: 0x82 }, { name: 'B' }]),
    ).toMatchObject([
      { name: 'a', kind: 'folder', extents: [{ offset: 16 * 2048, length: 2048 }] },
      { name: 'b', kind: 'file' },
    ])
  })

  test('a folder of no bytes is empty', async () => {
    const bytes = withRecords(writeIso({ files: {} }), '', [
      { name: '\0', flags: 2, fields: [sp()] },
      { name: 'A', flags: 2 },
    ])
    const folders = await openFolders(imageOf(bytes))
    const empty = (await child(folders, 'a')) ?? expect.fail('no folder')
    expect(await folders.children(empty)).toEqual([])
  })
})

describe('the bytes that SP says to skip', () => {
  test('are skipped in each record, and messages name the right byte', async () => {
    const root = (fields: readonly Buffer[]) =>
      withRecords(writeIso({ files: {} }), '', [
        { name: '\0', flags: 2, fields: [sp(5)] },
        { name: 'AB', fields },
      ])
    const junk = Buffer.from('zzzzz')
    expect(await nodesOf(root([junk, nm('name')]))).toMatchObject([{ name: 'name' }])
    const damaged = writeIso({ files: {} })
    const bytes = root([junk, nm('name'), Buffer.from('XX\0\x01')])
    const at = (damaged.folders.get('')?.block ?? 0) * 2048
    await expect(nodesOf(bytes)).rejects.toThrow(`x.iso, byte ${bytes.indexOf('XX', at)}: `)
  })
})

describe('a folder', () => {
  test('may have so many bytes, and no more', async () => {
    const { bytes: most } = imageLimits.imageFolder
    const written = writeIso({ files: {} })
    const at = (written.folders.get('')?.block ?? 0) * 2048
    for (const [length, isRead] of [
      [most, true],
      [most + 1, false],
    ] as const) {
      written.bytes.writeUInt32LE(length, 16 * 2048 + 156 + 10)
      const listed = children(await openFolders(imageOf(written.bytes, at + most + 1)))
      if (isRead) expect(await listed).toEqual([])
      else await expect(listed).rejects.toThrow(`x.iso, byte ${at}: the folder / has ${length} bytes`)
    }
  })

  test('that the disk could not read is read again, and then kept', async () => {
    const image = imageOf(writeIso({ files: { a: 'x' } }).bytes)
    let fails = false
    const readAt: Image['readAt'] = (position, length) =>
      fails ? Promise.reject(new Error('EIO')) : image.readAt(position, length)
    const folders = await openFolders({ name: image.name, size: image.size, readAt })
    fails = true
    await expect(children(folders)).rejects.toThrow('EIO')
    fails = false
    expect(await children(folders)).toHaveLength(1)
    const readings = image.readings()
    expect(await children(folders)).toHaveLength(1)
    expect(image.readings()).toBe(readings)
  })

  test('in an image that ends within the root has Rock Ridge all the same', async () => {
    const files = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`file-${i}`, '']))
    const { bytes, folders } = writeIso({ files })
    const { block = 0, length = 0 } = folders.get('') ?? {}
    expect(length).toBeGreaterThan(2048)
    const cut = (size: number) => openFolders(imageOf(bytes.subarray(0, size)))
    expect((await cut(block * 2048 + 2048)).names).toBe('rock-ridge')
    expect((await cut(block * 2048 + 2047)).names).toBe('plain')
  })
})

describe('a relocated folder (CL)', () => {
  const open = async (edit: (first: Buffer) => void, length = 2048) => {
    const written = writeIso({ files: { 'a/file': 'x' }, relocated: ['a'] })
    const at = (written.folders.get('a')?.block ?? 0) * 2048
    written.bytes.writeUInt32LE(length, at + 10)
    edit(written.bytes.subarray(at, at + 34))
    return { at, node: child(await openFolders(imageOf(written.bytes)), 'a') }
  }

  test('has its length from its own record', async () => {
    const { at, node } = await open(() => undefined, 4096)
    expect(await node).toMatchObject({ kind: 'folder', extents: [{ offset: at, length: 4096 }] })
  })

  test.each([
    ['too short', 0, 33],
    ['of a file', 25, 0xfd],
    ['with a longer name', 32, 2],
    ['of the parent', 33, 1],
  ])('is refused when its first record is %s', async (_, position, value) => {
    const { at, node } = await open((first) => first.writeUInt8(value, position))
    await expect(node).rejects.toThrow(`x.iso, byte ${at}: expected a relocated folder (CL)`)
  })

  test('has its place in blocks of the volume', async () => {
    const bytes = withRecords(writeIso({ files: {} }), '', [
      { name: '\0', block: 20, length: 2048, flags: 2, fields: [sp()] },
      { name: 'A', fields: [cl(80)] },
    ])
    // Blocks of 512 bytes: block 80 is sector 20, the root.
    bytes.writeUInt16LE(512, 16 * 2048 + 128)
    bytes.writeUInt32LE(80, 16 * 2048 + 156 + 2)
    expect(await nodesOf(bytes)).toMatchObject([
      { name: 'a', extents: [{ offset: 20 * 2048, length: 2048 }] },
    ])
  })
})

describe('continuation areas', () => {
  const root = (areas: readonly { block: number; offset: number; length: number }[]) =>
    withRecords(writeIso({ files: { free: Buffer.alloc(4 * 2048) } }), '', [
      { name: '\0', flags: 2, fields: [sp()] },
      ...areas.map((area, i) => ({ name: `F${i}`, fields: [continuationField(area)] })),
    ])
  /** An image whose block 20 and following have these bytes at these offsets. */
  const withAreas = (names: Readonly<Record<string, number>>) => {
    const fields = Object.entries(names).map(([name, at]) => ({ at, bytes: nm(name) }))
    const bytes = root([...fields.map(({ at, bytes }) => ({ block: 20, offset: at, length: bytes.length }))])
    for (const { at, bytes: area } of fields) area.copy(bytes, 20 * 2048 + at)
    return bytes
  }

  test('in one sector are read at once, up to its last byte', async () => {
    const image = imageOf(withAreas({ first: 0, second: 10, last: 2048 - 9 }))
    const folders = await openFolders(image)
    const before = image.readings()
    expect((await children(folders)).map(({ name }) => name)).toEqual(['first', 'second', 'last'])
    expect(image.readings() - before).toBe(2)
  })

  test('that cross the edge of a sector are read whole', async () => {
    expect((await nodesOf(withAreas({ crossing: 2040, next: 2060 }))).map(({ name }) => name)).toEqual([
      'crossing',
      'next',
    ])
  })

  test('may lie in a last sector that is cut', async () => {
    const bytes = root([{ block: 30, offset: 5, length: 8 }])
    const whole = Buffer.concat([bytes, Buffer.alloc(30 * 2048 + 13 - bytes.length)])
    nm('cut').copy(whole, 30 * 2048 + 5)
    expect(await nodesOf(whole)).toMatchObject([{ name: 'cut' }])
  })
})
