import { describe, expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { imageLimits } from '../../../server/core/limits/images.ts'
import { readDescriptors } from '../../../server/files/udf/sequence.ts'
import { tagged } from '../../support/iso/udf-fields.ts'
import { imageOf, imageOnDisk } from '../../support/iso/walk-image.ts'
import { fieldAt, seal, tags } from '../../support/iso/write-udf.ts'

const sector = 512
/** The first sectors of the two sequences, and that of the anchor. */
const main = 300
const reserve = 600
const anchorAt = 256

/** A descriptor with a sequence number, and with the number that a partition has. */
function descriptor(id: number, sequence = 1, number = 0): Buffer {
  const bytes = tagged(id, sector)
  bytes.writeUInt32LE(sequence, 16)
  bytes.writeUInt16LE(number, fieldAt.partition.number)
  return bytes
}
const volume = (sequence = 1) => descriptor(tags.logicalVolume, sequence)
const partition = (sequence: number, number: number) => descriptor(tags.partition, sequence, number)
const other = (sequence = 1) => descriptor(tags.implementationUse, sequence)
const end = descriptor(tags.terminating)
const unwritten = Buffer.alloc(sector)
/** A volume descriptor pointer to one sector. */
function pointer(to: number): Buffer {
  const bytes = tagged(tags.volumePointer, sector)
  bytes.writeUInt32LE(sector, fieldAt.volumePointer.next - 4)
  bytes.writeUInt32LE(to, fieldAt.volumePointer.next)
  return bytes
}

interface Extents {
  /** The bytes of the main sequence, as the anchor says. */
  readonly length: number
  readonly sectorBytes: number
}
function anchor({ length, sectorBytes }: Extents): Buffer {
  const bytes = tagged(tags.anchor, sector)
  for (const [field, first] of [
    [fieldAt.anchor.main, main],
    [fieldAt.anchor.reserve, reserve],
  ] as const) {
    bytes.writeUInt32LE(field === fieldAt.anchor.main ? length : sectorBytes, field - 4)
    bytes.writeUInt32LE(first, field)
  }
  return bytes
}

/** An image of so many sectors with these descriptors in them, each of which says where it lies. */
function imageFrom(
  contents: ReadonlyMap<number, Buffer>,
  { sectors = 700, sectorBytes = sector }: { sectors?: number; sectorBytes?: number } = {},
): Buffer {
  const image = Buffer.alloc(sectors * sectorBytes)
  for (const [number, bytes] of contents) {
    bytes.copy(image, number * sectorBytes)
    if (bytes !== unwritten)
      seal(image.subarray(0, number * sectorBytes + sector), number * sectorBytes, number)
  }
  return image
}

/** An image with these descriptors in its main sequence. The reserve sequence has one sector. */
function imageWith(
  descriptors: readonly Buffer[],
  length = descriptors.length * sector,
  more: readonly (readonly [sector: number, Buffer])[] = [],
): Buffer {
  return imageFrom(
    new Map([
      ...descriptors.map((bytes, i) => [main + i, bytes] as const),
      [anchorAt, anchor({ length, sectorBytes: sector })],
      ...more,
    ]),
  )
}

/** The sectors of the logical volume descriptor and of the partition descriptors, by their number. */
async function placesIn(bytes: Buffer, sectorBytes = sector) {
  const found = await readDescriptors(imageOf(bytes))
  expect(found.sectorBytes).toBe(sectorBytes)
  return {
    volume: found.logicalVolume.at / sectorBytes,
    partitions: [...found.partitions].map(([number, { at }]) => [number, at / sectorBytes]),
  }
}

describe('the anchor', () => {
  test.each([
    ['in sector 256', 256, 700],
    ['in the last sector', 699, 700],
    ['256 sectors before the last', 443, 700],
    ['256 sectors before the last, which is the first', 0, 257],
    ['in sector 512', 512, 700],
    ['in sector 512, which is the last', 512, 513],
  ])('may lie %s, whatever the size of a sector', async (_, at, sectors) => {
    for (const sectorBytes of [512, 1024, 2048, 4096]) {
      // Both sequences lie in front of the end of the smallest image.
      const said = anchor({ length: sectorBytes, sectorBytes })
      said.writeUInt32LE(100, fieldAt.anchor.main)
      const contents = new Map([
        [100, volume()],
        [at, said],
      ])
      const image = imageFrom(contents, { sectors, sectorBytes })
      expect(await placesIn(image, sectorBytes)).toEqual({ volume: 100, partitions: [] })
    }
  })

  test.each([1, 255, 257, 442, 444, 511, 513, 698])('is not looked for in sector %d of 700', async (at) => {
    const contents = new Map([
      [main, volume()],
      [at, anchor({ length: sector, sectorBytes: sector })],
    ])
    await expect(readDescriptors(imageOf(imageFrom(contents)))).rejects.toMatchObject({
      kind: 'invalid-data',
      // Sector 256 of a disc.
      message: expect.stringMatching(/^x\.iso, byte 524288: expected the anchor of a UDF volume \(tag 2\)/),
    })
  })

  test('is another one when that in sector 256 is not intact, or something else is there', async () => {
    const last = anchor({ length: sector, sectorBytes: sector })
    // They would lead to the descriptor that follows.
    const wrong = anchor({ length: sector, sectorBytes: sector })
    wrong.writeUInt32LE(main + 1, fieldAt.anchor.main)
    const contents = new Map([
      [main, volume()],
      [main + 1, volume()],
      [699, last],
      [256, wrong],
    ])
    const spoilt: readonly ((bytes: Buffer, at: number) => void)[] = [
      (bytes, at) => seal(bytes, at, 699),
      (bytes, at) => {
        bytes[at + sector - 1] = 1
      },
      (bytes, at) => {
        bytes.writeUInt16LE(tags.primaryVolume, at)
        seal(bytes, at)
      },
    ]
    const intact = imageFrom(contents)
    expect((await placesIn(intact)).volume).toBe(main + 1)
    for (const spoil of spoilt) {
      const bytes = Buffer.from(intact)
      spoil(bytes, 256 * sector)
      expect((await placesIn(bytes)).volume).toBe(main)
    }
  })
})

describe('of a sequence', () => {
  test.each([
    ['the higher number wins when it comes last', [volume(1), volume(2)], main + 1, []],
    ['the highest number wins wherever it is', [volume(2), volume(3), volume(1)], main + 1, []],
    ['the last of equal numbers wins', [volume(2), volume(1), volume(2)], main + 2, []],
    [
      'each partition has its own descriptors',
      [volume(), partition(1, 0), partition(2, 1), partition(3, 0), partition(1, 1), partition(1, 7)],
      main,
      [
        [0, main + 3],
        [1, main + 2],
        [7, main + 5],
      ],
    ],
    [
      'other kinds do not count, however high their number',
      [volume(), partition(1, 0), other(9), descriptor(tags.primaryVolume, 9)],
      main,
      [[0, main + 1]],
    ],
    ['what follows the terminating descriptor does not count', [volume(1), end, volume(2)], main, []],
    ['what follows an unwritten sector does not count', [volume(1), unwritten, volume(2)], main, []],
  ])('%s', async (_, descriptors, volumeAt, partitions) => {
    expect(await placesIn(imageWith(descriptors))).toEqual({ volume: volumeAt, partitions })
  })

  test.each([
    [sector, main],
    [2 * sector - 1, main],
    [2 * sector, main + 1],
    [3 * sector - 1, main + 1],
  ])('the whole sectors of its %d bytes count', async (length, volumeAt) => {
    const bytes = imageWith([volume(1), volume(2), volume(3)], length)
    expect((await placesIn(bytes)).volume).toBe(volumeAt)
  })

  test('the rest lies where a pointer leads, and not behind the pointer', async () => {
    const bytes = imageWith([volume(1), pointer(500), volume(9)], 3 * sector, [
      [500, volume(2)],
      [501, volume(8)],
    ])
    expect((await placesIn(bytes)).volume).toBe(500)
  })

  test('as many descriptors are read as the limit says, and one more is refused', async () => {
    const { entries } = imageLimits.udfSequence
    const many = [...Array.from({ length: entries - 1 }, () => other()), volume()]
    expect((await placesIn(imageWith(many))).volume).toBe(main + entries - 1)
    await expect(placesIn(imageWith([...many, end]))).rejects.toThrow(
      `x.iso, byte ${(main + entries) * sector}: the volume descriptor sequence has more than ${entries} descriptors`,
    )
  })
})

describe('the reserve sequence', () => {
  const place = main * sector
  /** The main sequence has a descriptor that says it lies elsewhere. */
  const withDamage = (inReserve: Buffer): Buffer => {
    const bytes = imageWith([volume(), end], 2 * sector, [[reserve, inReserve]])
    seal(bytes, place, 5)
    return bytes
  }

  test('is not read when the main one is intact', async () => {
    const image = imageOnDisk(imageWith([volume()], sector, [[reserve, volume(9)]]))
    image.disk.fault = { at: reserve * sector, error: new Error('EIO') }
    expect((await readDescriptors(image)).logicalVolume.at).toBe(place)
  })

  test('is read when the main one is damaged, or has no volume', async () => {
    expect((await placesIn(withDamage(volume()))).volume).toBe(reserve)
    expect((await placesIn(imageWith([end], sector, [[reserve, volume()]]))).volume).toBe(reserve)
  })

  test('leaves the failure to the main one when both are damaged', async () => {
    await expect(placesIn(withDamage(other()))).rejects.toThrow(
      `x.iso, byte ${place}: a volume descriptor (UDF) says it lies in block 5, not in ${main}`,
    )
    await expect(placesIn(imageWith([other(), end]))).rejects.toThrow(
      `x.iso, byte ${place}: expected a logical volume descriptor (tag 6) in the volume descriptor sequence of ${2 * sector} bytes`,
    )
  })

  test.each([
    ['error', new Error('EIO')],
    ['failure', new Failure('conflict', 'the image was replaced')],
  ])('does not hide an %s of the disk', async (_, error) => {
    for (const at of [anchorAt * sector, place, reserve * sector]) {
      const intact = imageWith([volume()], sector, [[reserve, volume()]])
      // The reserve sequence is read only when the main one is damaged.
      const image = imageOnDisk(at === reserve * sector ? withDamage(volume()) : intact)
      image.disk.fault = { at, error }
      await expect(readDescriptors(image)).rejects.toBe(error)
    }
  })
})
