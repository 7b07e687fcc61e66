import { describe, expect, test } from 'vitest'
import { openVolume } from '../../../server/files/udf/volume.ts'
import { imageOf, imageOnDisk } from '../../support/iso/walk-image.ts'
import {
  fieldAt,
  seal,
  sectors,
  shortDescriptorBytes,
  type UdfShape,
  writeUdf,
} from '../../support/iso/write-udf.ts'

const { logicalVolume: field, fileEntry: entryField, partition: partitionField } = fieldAt
const block = 512
const partitionAt = sectors.partition * block
/** The third descriptor of the main sequence, which is the first that is read. */
const volumeAt = (sectors.main + 2) * block

const write = (rest: Omit<UdfShape, 'files'> = {}) =>
  writeUdf({ files: { file: 'x' }, blockBytes: block, ...rest }).bytes
/** Changes the logical volume descriptor of both sequences. */
function withVolume(edit: (descriptor: Buffer) => void, bytes = write()): Buffer {
  for (const sequence of [sectors.main, sectors.reserve]) {
    const at = (sequence + 2) * block
    edit(bytes.subarray(at, at + block))
    seal(bytes, at)
  }
  return bytes
}

/** A map of a type and a length, which names a partition if it is one of type 1. */
function map(type: number, length: number, number = 0): Buffer {
  const bytes = Buffer.alloc(Math.max(6, length))
  bytes[0] = type
  bytes[1] = length
  bytes.writeUInt16LE(number, 4)
  return bytes
}
interface Table {
  readonly maps: readonly Buffer[]
  /** Values for the descriptor in place of the true ones. */
  readonly count?: number
  readonly bytes?: number
}
const withTable = ({ maps, count = maps.length, bytes }: Table) =>
  withVolume((descriptor) => {
    const table = Buffer.concat(maps)
    descriptor.writeUInt32LE(bytes ?? table.length, field.mapBytes)
    descriptor.writeUInt32LE(count, field.mapCount)
    table.copy(descriptor, field.maps)
  })
const open = (bytes: Buffer) => openVolume(imageOf(bytes))

describe('a volume', () => {
  test('has blocks, a file set and the size that its partition states', async () => {
    const bytes = withVolume((descriptor) => {
      descriptor.writeUInt32LE(77, field.fileSet + 4)
      descriptor.writeUInt16LE(3, field.fileSet + 8)
    })
    const partition = (sectors.main + 1) * block
    bytes.writeUInt32LE(1000, partition + partitionField.start)
    bytes.writeUInt32LE(234, partition + partitionField.start + 4)
    seal(bytes, partition)
    const image = imageOf(bytes)
    const volume = await openVolume(image)
    expect(volume).toEqual({
      image,
      blockBytes: block,
      partitions: [expect.any(Function)],
      fileSet: { block: 77, partition: 3 },
      fileSetNamedAt: volumeAt + field.fileSet,
      bytes: 1234 * block,
    })
    expect(volume.partitions[0]?.(5, 700)).toEqual([{ offset: 1005 * block, length: 700 }])
  })

  test.each([
    [
      [0, 1],
      [sectors.partition, 400],
    ],
    [
      [1, 0],
      [400, sectors.partition],
    ],
  ])('with the partitions %j is as large as the one that ends last', async (numbers, starts) => {
    const bytes = withTable({ maps: numbers.map((number) => map(1, 6, number)) })
    // Partition 1 takes the place of the terminating descriptor, behind which nothing was written.
    const [zero, one] = [sectors.main + 1, sectors.main + 3].map((sector) => sector * block)
    bytes.copy(bytes, one, zero, (zero ?? 0) + block)
    bytes.writeUInt16LE(1, (one ?? 0) + partitionField.number)
    bytes.writeUInt32LE(400, (one ?? 0) + partitionField.start)
    seal(bytes, one, sectors.main + 3)
    const { partitions, bytes: size } = await open(bytes)
    const length = bytes.readUInt32LE((one ?? 0) + partitionField.start + 4)
    expect(size).toBe((400 + length) * block)
    expect(partitions.map((places) => places(1, 1))).toEqual(
      starts.map((start) => [{ offset: (start + 1) * block, length: 1 }]),
    )
  })

  test.each([0, 511, 1024, 2048])('with blocks of %d bytes in sectors of 512 is refused', async (size) => {
    const bytes = withVolume((descriptor) => descriptor.writeUInt32LE(size, field.blockBytes))
    await expect(open(bytes)).rejects.toThrow(
      `x.iso, byte ${volumeAt + field.blockBytes}: expected logical blocks of 512 bytes, as the sectors are, found ${size}`,
    )
  })

  test('with a partition that no descriptor describes is refused', async () => {
    await expect(open(withTable({ maps: [map(1, 6), map(1, 6, 7)] }))).rejects.toThrow(
      `x.iso, byte ${volumeAt + field.maps + 6}: the volume has a partition 7, `,
    )
  })
})

describe('the table of partition maps', () => {
  test('may fill the descriptor, and has only as many maps as it says', async () => {
    const maps = Array.from({ length: 12 }, () => map(1, 6))
    expect((await open(withTable({ maps }))).partitions).toHaveLength(12)
    expect((await open(withTable({ maps, count: 11 }))).partitions).toHaveLength(11)
    await expect(open(withTable({ maps, bytes: 73 }))).rejects.toThrow(
      `x.iso, byte ${volumeAt + field.mapBytes}: expected partition maps of at most 72 bytes, found 73`,
    )
  })

  test.each([
    [1, 64],
    [2, 6],
    [0, 6],
    [3, 6],
    [0, 64],
    [3, 64],
    [1, 0],
    [1, 5],
    [1, 7],
    [2, 63],
    [2, 65],
    [0, 0],
  ])('is refused with a map of type %d and %d bytes', async (type, length) => {
    // Its first map is right.
    const maps = [map(1, 6), map(type, length)]
    await expect(open(withTable({ maps, bytes: 72 }))).rejects.toThrow(
      `x.iso, byte ${volumeAt + field.maps + 6}: expected partition map 2 of 2, of type 1 and 6 bytes or type 2 and 64 bytes; found type ${type} and ${length} bytes`,
    )
  })

  test.each([
    ['a byte less than its map', [map(1, 6)], 5, 'type 1 and 6'],
    ['a byte less than its second map', [map(1, 6), map(1, 6)], 11, 'type 1 and 6'],
    ['a byte less than its metadata map', [map(1, 6), map(2, 64)], 69, 'type 2 and 64'],
    ['no byte of its second map', [map(1, 6), map(1, 6)], 6, 'type 0 and 0'],
    ['only the type of its second map', [map(1, 6), map(1, 6)], 7, 'type 1 and 0'],
  ])('is refused with %s', async (_, maps, bytes, found) => {
    const last = maps.length
    await expect(open(withTable({ maps, bytes }))).rejects.toThrow(
      `x.iso, byte ${volumeAt + field.maps + 6 * (last - 1)}: expected partition map ${last} of ${last}, of type 1 and 6 bytes or type 2 and 64 bytes; found ${found} bytes`,
    )
  })
})

describe('the metadata partition', () => {
  /** The file entries of the metadata file and of its mirror, and the blocks of its two runs. */
  const [mainAt, mirrorAt] = [partitionAt, partitionAt + block]
  const runBlocks = 96
  const [first, second] = [2, 2 + runBlocks + 3].map((number) => partitionAt + number * block) as [
    number,
    number,
  ]
  const metadata = () => write({ metadata: true })
  const placesOf = async (bytes: Buffer) => (await open(bytes)).partitions[1] ?? expect.fail('no partition')
  /** Changes a file entry. */
  const changed = (at: number, edit: (entry: Buffer) => void, bytes = metadata()): Buffer => {
    edit(bytes.subarray(at, at + block))
    return seal(bytes, at)
  }
  /** The image with runs of the mirror that begin ten blocks later, which tells it from the metadata file. */
  const withOwnMirror = () => changed(mirrorAt, (entry) => entry.writeUInt32LE(12, entryField.area + 4))

  test.each([
    ['the first block', 0, block, [{ offset: first, length: block }]],
    ['a part of the last block of the first run', 95, 10, [{ offset: first + 95 * block, length: 10 }]],
    ['the last block of the first run', 95, block, [{ offset: first + 95 * block, length: block }]],
    [
      'a byte of the second run, too',
      95,
      block + 1,
      [
        { offset: first + 95 * block, length: block },
        { offset: second, length: 1 },
      ],
    ],
    ['the first block of the second run', 96, block, [{ offset: second, length: block }]],
    ['a block of the second run', 100, block, [{ offset: second + 4 * block, length: block }]],
    ['the last block', 191, block, [{ offset: second + 95 * block, length: block }]],
    ['a byte more than the last block', 191, block + 1, undefined],
    ['a byte behind the last block', 192, 1, undefined],
    ['a byte far behind the last block', 5000, 1, undefined],
    [
      'all blocks',
      0,
      2 * runBlocks * block,
      [
        { offset: first, length: runBlocks * block },
        { offset: second, length: runBlocks * block },
      ],
    ],
    ['all blocks and a byte', 0, 2 * runBlocks * block + 1, undefined],
  ])('has %s', async (_, from, length, places) => {
    expect((await placesOf(metadata()))(from, length)).toEqual(places)
  })

  test('does not have what lies in a hole of the metadata file', async () => {
    // The two upper bits of the length become 2: not recorded.
    const places = await placesOf(
      changed(mainAt, (entry) => {
        const at = entryField.area + shortDescriptorBytes
        entry.writeUInt32LE((entry.readUInt32LE(at) | 0x80000000) >>> 0, at)
      }),
    )
    expect(places(95, block)).toEqual([{ offset: first + 95 * block, length: block }])
    expect(places(95, block + 1)).toBeUndefined()
    expect(places(191, 1)).toBeUndefined()
  })

  test.each([
    ['is the metadata file when both are intact', 0, first],
    ['is the metadata file when only the mirror is damaged', mirrorAt, first],
    ['is the mirror when only the metadata file is damaged', mainAt, partitionAt + 12 * block],
  ])('%s', async (_, damagedAt, offset) => {
    const bytes = withOwnMirror()
    // The byte 0 lies in front of the volume.
    bytes[damagedAt] = 0
    expect((await placesOf(bytes))(0, 1)).toEqual([{ offset, length: 1 }])
  })

  test('is the mirror when the disk cannot read the metadata file, and an error when it can read neither', async () => {
    const error = new Error('EIO')
    const image = imageOnDisk(withOwnMirror())
    image.disk.fault = { at: mainAt, error }
    const { partitions } = await openVolume(image)
    expect(partitions[1]?.(0, 1)).toEqual([{ offset: partitionAt + 12 * block, length: 1 }])
    for (const [damagedAt, at] of [
      [mainAt, mirrorAt],
      [mirrorAt, mainAt],
    ] as const) {
      const failing = imageOnDisk(changed(damagedAt, (entry) => entry.fill(0, 0, 16)))
      failing.disk.fault = { at, error }
      await expect(openVolume(failing)).rejects.toBe(error)
    }
  })

  test.each([250, 251])('may be a file of the type %d', async (type) => {
    const edit = (entry: Buffer) => entry.writeUInt8(type, entryField.type)
    const bytes = changed(mainAt, edit)
    // The mirror is no file entry at all.
    bytes.fill(0, mirrorAt, mirrorAt + block)
    expect((await placesOf(bytes))(0, 1)).toEqual([{ offset: first, length: 1 }])
  })

  test.each([0, 5, 249, 252])('is not a file of the type %d', async (type) => {
    const edit = (entry: Buffer) => entry.writeUInt8(type, entryField.type)
    await expect(open(changed(mirrorAt, edit, changed(mainAt, edit)))).rejects.toThrow(
      `x.iso, byte ${mainAt + entryField.type}: expected the metadata file (type 250), found type ${type}`,
    )
  })
})
