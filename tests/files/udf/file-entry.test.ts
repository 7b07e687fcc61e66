import { describe, expect, test } from 'vitest'
import { readFileEntry } from '../../../server/files/udf/file-entry.ts'
import { type Partition, placesOf, readBlock } from '../../../server/files/udf/space.ts'
import { imageOf } from '../../support/iso/walk-image.ts'
import { fieldAt, seal, type UdfShape, writeUdf } from '../../support/iso/write-udf.ts'

const { fileEntry: field } = fieldAt
const shape: UdfShape = { files: { file: 'content' }, blockBytes: 512 }
/** The file entry of a file of seven bytes, changed. Its other fields end at 176, its attributes at 180. */
function entryOf(edit: (bytes: Buffer, at: number) => void, rest: Omit<UdfShape, 'files'> = {}) {
  const { bytes, entries, partitionAt } = writeUdf({ ...shape, ...rest })
  const { at = 0, block = 0 } = entries.get('file') ?? {}
  edit(bytes, at)
  // The CRC covers what it covered before, which is no longer all of the descriptor.
  seal(bytes, at, block)
  const places: Partition = (from, length) => [{ offset: partitionAt + from * 512, length }]
  const address = { block, partition: 1 }
  const partitions: readonly Partition[] = [() => undefined, places]
  return {
    at,
    address,
    entry: readFileEntry({ image: imageOf(bytes), blockBytes: 512, partitions }, address, 99),
  }
}

test.each([
  ['a file entry', {}, 176],
  ['an extended one', { version2: true }, 216],
])('%s tells all of a file but its name', async (_, rest, end) => {
  const { at, address, entry } = entryOf(() => {}, rest)
  expect(await entry).toEqual({
    at,
    address,
    type: 5,
    size: 7,
    modifiedMs: Date.UTC(2024, 3, 14, 12),
    allocation: 'short',
    area: expect.any(Buffer),
    areaAt: at + end + 4,
  })
  expect((await entry).area).toHaveLength(8)
})

test.each([
  ['short', 0],
  ['long', 1],
  ['embedded', 3],
  // The other flags, such as that of a file that was archived.
  ['long', 0xfff8 | 1],
])('allocation descriptors are %s by the low bits of %d', async (allocation, flags) => {
  expect(await entryOf((bytes, at) => bytes.writeUInt16LE(flags, at + field.flags)).entry).toMatchObject({
    allocation,
  })
})

test.each([2, 4, 5, 6, 7, 0xfff8 | 2])(
  'flags with the kind in the low bits of %d are refused',
  async (flags) => {
    const { at, entry } = entryOf((bytes, at) => bytes.writeUInt16LE(flags, at + field.flags))
    await expect(entry).rejects.toThrow(
      `x.iso, byte ${at + field.flags}: expected allocation descriptors of the kind 0, 1 or 3, found ${flags & 7}`,
    )
  },
)

describe('the parts of a file entry', () => {
  const lengths = (attributes: number, area: number) => (bytes: Buffer, at: number) => {
    bytes.writeUInt32LE(attributes, at + field.attributeBytes)
    bytes.writeUInt32LE(area, at + field.attributeBytes + 4)
  }
  test.each([
    [0, 512 - 176],
    [512 - 176, 0],
    [100, 512 - 176 - 100],
  ])('may fill its block: %d bytes of attributes, and %d of descriptors', async (attributes, area) => {
    const { at, entry } = entryOf(lengths(attributes, area))
    expect((await entry).areaAt).toBe(at + 176 + attributes)
    expect((await entry).area).toHaveLength(area)
  })

  test.each([
    [0, 512 - 176 + 1],
    [512 - 176 + 1, 0],
    [4, 0xffffffff],
    [0xffffffff, 0xffffffff],
  ])('may be no longer: %d bytes of attributes, and %d of descriptors', async (attributes, area) => {
    const { at, entry } = entryOf(lengths(attributes, area))
    await expect(entry).rejects.toThrow(
      `x.iso, byte ${at + field.attributeBytes}: the file entry has ${attributes} bytes of attributes and ${area} of allocation descriptors, where its block has 336 for both`,
    )
  })
})

describe('the size of a file', () => {
  const size = (value: bigint) => (bytes: Buffer, at: number) =>
    bytes.writeBigUInt64LE(value, at + field.size)
  const most = BigInt(Number.MAX_SAFE_INTEGER)

  test('is one that numbers are exact for', async () => {
    expect((await entryOf(size(most)).entry).size).toBe(Number.MAX_SAFE_INTEGER)
    const { at, entry } = entryOf(size(most + 1n))
    await expect(entry).rejects.toThrow(
      `x.iso, byte ${at + field.size}: the file entry claims a file of ${most + 1n}`,
    )
  })

  test('is at most that of what the entry holds, when it holds the bytes', async () => {
    const embedded = (value: bigint) => (bytes: Buffer, at: number) => {
      bytes.writeUInt16LE(3, at + field.flags)
      size(value)(bytes, at)
    }
    expect((await entryOf(embedded(8n)).entry).size).toBe(8)
    const { at, entry } = entryOf(embedded(9n))
    await expect(entry).rejects.toThrow(
      `x.iso, byte ${at + field.size}: the file entry holds 8 bytes of a file of 9`,
    )
  })
})

test('an entry of another strategy is not supported', async () => {
  for (const strategy of [0, 3, 5, 4096]) {
    const { at, entry } = entryOf((bytes, at) => bytes.writeUInt16LE(strategy, at + field.strategy))
    await expect(entry).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringContaining(
        `x.iso, byte ${at + field.strategy}: the file entry has the ICB strategy ${strategy}`,
      ),
    })
  }
})

describe('a block', () => {
  const image = imageOf(Buffer.alloc(8192))
  const space = (places: Partition) => ({ image, blockBytes: 512, partitions: [places] })

  test('that is in pieces, or in none, is refused', async () => {
    const piece = { offset: 0, length: 256 }
    for (const places of [[piece, piece], []])
      await expect(
        readBlock(
          space(() => places),
          { block: 3, partition: 0 },
          99,
          'a thing',
        ),
      ).rejects.toThrow('x.iso, byte 99: names the block 3, which is in pieces')
  })

  test('of a partition that is not there, or that it does not have, is refused', () => {
    const address = (partition: number) => ({ block: 3, partition })
    expect(() =>
      placesOf(
        space(() => undefined),
        address(1),
        1,
        99,
      ),
    ).toThrow('x.iso, byte 99: names the partition 1, but the volume has 1')
    expect(() =>
      placesOf(
        space(() => undefined),
        address(0),
        1,
        99,
      ),
    ).toThrow('x.iso, byte 99: names the block 3, which partition 0 does not have')
  })
})
