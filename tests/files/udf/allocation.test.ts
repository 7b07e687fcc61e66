import { describe, expect, test } from 'vitest'
import { imageLimits } from '../../../server/core/limits/images.ts'
import { newDescriptorBudget, readRuns } from '../../../server/files/udf/allocation.ts'
import type { Allocation, FileEntry } from '../../../server/files/udf/file-entry.ts'
import type { Space } from '../../../server/files/udf/space.ts'
import { imageOf } from '../../support/iso/walk-image.ts'
import { fieldAt, seal, tags } from '../../support/iso/write-udf.ts'

const { allocationExtent: extentField } = fieldAt
const blockBytes = 512
/** Where the partition begins, and where the descriptors of the file lie. */
const partitionAt = 10_240
const areaAt = 5000

type Piece = readonly [length: number, block: number, kind?: number]
const short = (pieces: readonly Piece[]): Buffer => {
  const bytes = Buffer.alloc(8 * pieces.length)
  for (const [i, [length, block, kind = 0]] of pieces.entries()) {
    bytes.writeUInt32LE((length | (kind << 30)) >>> 0, 8 * i)
    bytes.writeUInt32LE(block, 8 * i + 4)
  }
  return bytes
}

/** The runs of a file of this size. `blocks` has descriptors of the kind 258, by the block that they lie in. */
function runsOf(
  area: Buffer,
  size: number,
  {
    allocation = 'short',
    left,
    blocks = [],
  }: Partial<{ allocation: Allocation; left: number; blocks: readonly Buffer[] }> = {},
) {
  const bytes = Buffer.alloc(partitionAt + Math.max(1, blocks.length) * blockBytes)
  for (const [block, each] of blocks.entries()) each.copy(bytes, partitionAt + block * blockBytes)
  const space: Space = {
    image: imageOf(bytes),
    blockBytes,
    partitions: [(block, length) => [{ offset: partitionAt + block * blockBytes, length }]],
  }
  const entry: FileEntry = {
    at: 4096,
    address: { block: 0, partition: 0 },
    type: 5,
    size,
    modifiedMs: 0,
    allocation,
    area,
    areaAt,
  }
  return readRuns(space, entry, left === undefined ? newDescriptorBudget() : { left })
}
/** An allocation extent descriptor that says it lies in this block. */
function extent(block: number, area: Buffer, used = area.length): Buffer {
  const bytes = Buffer.alloc(blockBytes)
  bytes.writeUInt16LE(tags.allocationExtent, 0)
  bytes.writeUInt16LE(8, fieldAt.tag.crcLength)
  bytes.writeUInt32LE(used, extentField.areaBytes)
  area.copy(bytes, extentField.area)
  return seal(bytes, 0, block)
}
const at = (block: number) => partitionAt + block * blockBytes

describe('the runs of a file', () => {
  test('are what its descriptors say, up to its size', async () => {
    const area = short([
      [512, 3],
      [512, 9, 1],
      [512, 8, 2],
      [2048, 5],
      [512, 7],
    ])
    expect(await runsOf(area, 3 * 512 + 100)).toEqual([
      { offset: at(3), length: 512, namedAt: areaAt },
      { length: 512, namedAt: areaAt + 8 },
      { length: 512, namedAt: areaAt + 16 },
      { offset: at(5), length: 100, namedAt: areaAt + 24 },
    ])
    expect(await runsOf(area, 0)).toEqual([])
  })

  test('are named in long descriptors with their partition', async () => {
    const long = Buffer.alloc(40)
    long.writeUInt32LE(512, 0)
    long.writeUInt32LE(3, 4)
    long.writeUInt32LE(512, 16)
    long.writeUInt32LE(9, 20)
    expect(await runsOf(long, 1024, { allocation: 'long' })).toEqual([
      { offset: at(3), length: 512, namedAt: areaAt },
      { offset: at(9), length: 512, namedAt: areaAt + 16 },
    ])
    long.writeUInt16LE(1, 24)
    await expect(runsOf(long, 1024, { allocation: 'long' })).rejects.toThrow(
      `x.iso, byte ${areaAt + 16}: names the partition 1`,
    )
  })

  test('are the file entry itself when it holds the bytes', async () => {
    expect(await runsOf(Buffer.alloc(9), 7, { allocation: 'embedded' })).toEqual([
      { offset: areaAt, length: 7, namedAt: 4096 },
    ])
  })

  test.each([
    [
      'that has no length',
      short([
        [512, 3],
        [0, 0],
        [512, 4],
      ]),
    ],
    [
      'that is cut',
      short([
        [512, 3],
        [512, 4],
      ]).subarray(0, 15),
    ],
  ])('end with a descriptor %s', async (_, area) => {
    expect(await runsOf(area, 512)).toHaveLength(1)
    await expect(runsOf(area, 1024)).rejects.toThrow(
      'x.iso, byte 4096: the file entry gives a size of 1024 bytes, and its allocation descriptors hold 512',
    )
  })
})

describe('descriptors that continue elsewhere', () => {
  const continued: Piece = [512, 1, 3]
  const lead = short([[512, 8], continued])

  test('have their places there', async () => {
    // Behind the descriptor that leads on, nothing counts.
    const area = short([[512, 8], continued, [512, 9]])
    expect(
      await runsOf(area, 1536, {
        blocks: [
          Buffer.alloc(0),
          extent(
            1,
            short([
              [512, 6],
              [512, 7],
            ]),
          ),
        ],
      }),
    ).toEqual([
      { offset: at(8), length: 512, namedAt: areaAt },
      { offset: at(6), length: 512, namedAt: at(1) + 24 },
      { offset: at(7), length: 512, namedAt: at(1) + 32 },
    ])
  })

  test('use no more than their area says', async () => {
    const blocks = [
      Buffer.alloc(0),
      extent(
        1,
        short([
          [512, 6],
          [512, 7],
        ]),
        8,
      ),
    ]
    await expect(runsOf(lead, 1536, { blocks })).rejects.toThrow('descriptors hold 1024')
  })

  test.each([
    // The length of the extent, and how many bytes of descriptors it has room for.
    [24 + 8, 8],
    [512, 512 - 24],
    [4096, 512 - 24],
  ])('have room in an extent of %d bytes for %d', async (length, room) => {
    const area = short([
      [512, 8],
      [length, 1, 3],
    ])
    const blocks = (used: number) => [Buffer.alloc(0), extent(1, short([[512, 6]]), used)]
    expect(await runsOf(area, 1024, { blocks: blocks(room) })).toHaveLength(2)
    await expect(runsOf(area, 1024, { blocks: blocks(room + 1) })).rejects.toThrow(
      `x.iso, byte ${at(1) + 20}: an allocation extent descriptor has room for ${room} bytes and claims ${room + 1}`,
    )
  })

  test('are in a block that says it is that one', async () => {
    const blocks = [Buffer.alloc(0), extent(2, short([[512, 6]]))]
    await expect(runsOf(lead, 1024, { blocks })).rejects.toThrow('says it lies in block 2, not in 1')
  })

  test('have so many areas, and no more', async () => {
    const { depth } = imageLimits.allocationDescriptors
    const chain = (count: number) =>
      Array.from({ length: count }, (_, i) =>
        extent(i, short(i + 1 < count ? [[512, i + 1, 3]] : [[512, 9]])),
      )
    const area = short([[512, 0, 3]])
    expect(await runsOf(area, 512, { blocks: chain(depth) })).toHaveLength(1)
    await expect(runsOf(area, 512, { blocks: chain(depth + 1) })).rejects.toThrow('do not end')
  })
})

describe('the number of descriptors', () => {
  test('of a file has a bound', async () => {
    const { entries } = imageLimits.allocationDescriptors
    const area = Buffer.alloc(8 * (entries + 1), short([[512, 3]]))
    expect(await runsOf(area, 512 * entries)).toHaveLength(entries)
    await expect(runsOf(area, 512 * entries + 1)).rejects.toThrow(
      `x.iso, byte ${areaAt + 8 * entries}: a file is in more than ${entries} pieces`,
    )
  })

  test('of all files of a folder has one, which counts those that lead on', async () => {
    const area = short([
      [512, 8],
      [512, 1, 3],
    ])
    const blocks = [Buffer.alloc(0), extent(1, short([[512, 6]]))]
    expect(await runsOf(area, 1024, { blocks, left: 3 })).toHaveLength(2)
    await expect(runsOf(area, 1024, { blocks, left: 2 })).rejects.toThrow(`x.iso, byte ${at(1) + 24}: `)
  })
})
