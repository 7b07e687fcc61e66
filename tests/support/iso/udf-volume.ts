import { charset, dstring, regid, seal, tagged, timestamp } from './udf-fields.ts'
import type { UdfShape } from './udf-shape.ts'

const tags = { primary: 1, anchor: 2, pointer: 3, partition: 5, logical: 6, end: 8 }
export const sectors = { main: 200, reserve: 216, more: 232, anchor: 256, partition: 257 }
export const metadataBlocks = 192

/** Allocates blocks of a partition and gives their positions in the image. */
export interface Area {
  readonly take: (count: number) => number
  readonly at: (block: number) => number
}

export interface Volume {
  readonly shape: UdfShape
  readonly blockBytes: number
  /** The blocks of file entries and folders. */
  readonly meta: Area
  /** The blocks of everything else. */
  readonly plain: Area
  /** The partition reference of `meta`. */
  readonly metaPartition: number
  readonly metadataFile: readonly [number, number] | undefined
  readonly data: Map<string, number>
  readonly folders: Map<string, number>
  /** Writes bytes at a position. With a location, they are a descriptor, whose tag gets its checksums. */
  readonly write: (at: number, bytes: Buffer, location?: number) => void
  readonly image: () => Buffer
  readonly used: () => number
}

export function createVolume(shape: UdfShape): Volume {
  const blockBytes = shape.blockBytes ?? 2048
  const written: { at: number; bytes: Buffer }[] = []
  let next = 0
  const plain: Area = {
    take(count) {
      next += count
      return next - count
    },
    at: (block) => (sectors.partition + block) * blockBytes,
  }
  let meta = plain
  let metadataFile: readonly [number, number] | undefined
  if (shape.metadata) {
    const [main, mirror, one] = [plain.take(1), plain.take(1), plain.take(metadataBlocks / 2)]
    plain.take(3)
    const two = plain.take(metadataBlocks / 2)
    metadataFile = [main, mirror]
    let taken = 0
    meta = {
      take(count) {
        taken += count
        if (taken > metadataBlocks) throw new Error('the metadata partition is full')
        return taken - count
      },
      at: (block) => plain.at(block < metadataBlocks / 2 ? one + block : two + block - metadataBlocks / 2),
    }
  }
  return {
    shape,
    blockBytes,
    meta,
    plain,
    metaPartition: shape.metadata ? 1 : 0,
    metadataFile,
    data: new Map(),
    folders: new Map(),
    write(at, bytes, location) {
      const copy = Buffer.from(bytes)
      if (location !== undefined) seal(copy, 0, location)
      written.push({ at, bytes: copy })
    },
    image() {
      const end = written.reduce((most, { at, bytes }) => Math.max(most, at + bytes.length), 0)
      const image = Buffer.alloc(Math.ceil(end / blockBytes) * blockBytes)
      for (const { at, bytes } of written) bytes.copy(image, at)
      return image
    },
    used: () => next,
  }
}

export function fileSetDescriptor(volume: Volume, root: number): Buffer {
  const bytes = Buffer.alloc(512)
  bytes.writeUInt16LE(256, 0)
  timestamp().copy(bytes, 16)
  bytes.writeUInt16LE(3, 28)
  bytes.writeUInt16LE(3, 30)
  bytes.writeUInt32LE(1, 32)
  bytes.writeUInt32LE(1, 36)
  charset.copy(bytes, 48)
  dstring('TEST', 128).copy(bytes, 112)
  charset.copy(bytes, 240)
  dstring('TEST', 32).copy(bytes, 304)
  bytes.writeUInt32LE(volume.blockBytes, 400)
  bytes.writeUInt32LE(root, 404)
  bytes.writeUInt16LE(volume.metaPartition, 408)
  regid('*OSTA UDF Compliant', revision(volume)).copy(bytes, 416)
  return bytes
}

function revision({ shape }: Volume): number {
  if (shape.metadata) return 0x0250
  return shape.version2 ? 0x0201 : 0x0102
}

export function writeVolume(volume: Volume, fileSet: number): Buffer {
  const { shape, blockBytes } = volume
  for (const [i, name] of [
    'BEA01',
    shape.version2 || shape.metadata ? 'NSR03' : 'NSR02',
    'TEA01',
  ].entries()) {
    const structure = Buffer.alloc(2048)
    structure.write(name, 1, 'latin1')
    structure[6] = 1
    volume.write(32768 + i * Math.max(2048, blockBytes), structure)
  }
  const sequence = [
    primaryVolume(),
    partitionDescriptor(volume),
    logicalVolume(volume, fileSet),
    tagged(tags.end, 512),
  ]
  for (const [i, descriptor] of sequence.entries())
    volume.write((sectors.reserve + i) * blockBytes, descriptor, sectors.reserve + i)
  if (shape.continued) {
    const pointer = tagged(tags.pointer, 512)
    pointer.writeUInt32LE(16 * blockBytes, 20)
    pointer.writeUInt32LE(sectors.more, 24)
    volume.write(sectors.main * blockBytes, pointer, sectors.main)
  }
  const main = shape.continued ? sectors.more : sectors.main
  for (const [i, descriptor] of sequence.entries())
    volume.write((main + i) * blockBytes, descriptor, main + i)
  // Room for an anchor behind the partition.
  volume.write((sectors.partition + volume.used()) * blockBytes, Buffer.alloc(8 * blockBytes))
  const size = volume.image().length / blockBytes
  for (const anchor of shape.anchors ?? [sectors.anchor, -1]) {
    const sector = anchor < 0 ? size + anchor : anchor
    volume.write(sector * blockBytes, anchorDescriptor(blockBytes), sector)
  }
  return volume.image()
}

function anchorDescriptor(blockBytes: number): Buffer {
  const bytes = tagged(tags.anchor, 512)
  bytes.writeUInt32LE(16 * blockBytes, 16)
  bytes.writeUInt32LE(sectors.main, 20)
  bytes.writeUInt32LE(16 * blockBytes, 24)
  bytes.writeUInt32LE(sectors.reserve, 28)
  return bytes
}

function primaryVolume(): Buffer {
  const bytes = tagged(tags.primary, 512)
  dstring('TEST', 32).copy(bytes, 24)
  bytes.writeUInt16LE(1, 56)
  bytes.writeUInt16LE(1, 58)
  dstring('0123456789ABCDEF', 128).copy(bytes, 72)
  charset.copy(bytes, 200)
  charset.copy(bytes, 264)
  timestamp().copy(bytes, 376)
  return bytes
}

function partitionDescriptor(volume: Volume): Buffer {
  const bytes = tagged(tags.partition, 512)
  bytes.writeUInt32LE(1, 16)
  bytes.writeUInt16LE(1, 20)
  regid(volume.shape.version2 || volume.shape.metadata ? '+NSR03' : '+NSR02').copy(bytes, 24)
  bytes.writeUInt32LE(1, 184)
  bytes.writeUInt32LE(sectors.partition, 188)
  bytes.writeUInt32LE(volume.used(), 192)
  return bytes
}

function logicalVolume(volume: Volume, fileSet: number): Buffer {
  const maps: Buffer[] = [Buffer.from([1, 6, 1, 0, 0, 0])]
  if (volume.metadataFile) {
    const map = Buffer.alloc(64)
    map[0] = 2
    map[1] = 64
    regid('*UDF Metadata Partition', 0x0250).copy(map, 4)
    map.writeUInt16LE(1, 36)
    for (const [i, block] of volume.metadataFile.entries()) map.writeUInt32LE(block, 40 + 4 * i)
    map.writeUInt32LE(0xffffffff, 48)
    map.writeUInt32LE(32, 52)
    map.writeUInt16LE(1, 56)
    maps.push(map)
  }
  const table = Buffer.concat(maps)
  const bytes = Buffer.alloc(Math.max(512, 440 + table.length))
  bytes.writeUInt16LE(tags.logical, 0)
  bytes.writeUInt32LE(2, 16)
  charset.copy(bytes, 20)
  dstring('TEST', 128).copy(bytes, 84)
  bytes.writeUInt32LE(volume.blockBytes, 212)
  regid('*OSTA UDF Compliant', revision(volume)).copy(bytes, 216)
  bytes.writeUInt32LE(volume.blockBytes, 248)
  bytes.writeUInt32LE(fileSet, 252)
  bytes.writeUInt16LE(volume.metaPartition, 256)
  bytes.writeUInt32LE(table.length, 264)
  bytes.writeUInt32LE(maps.length, 268)
  table.copy(bytes, 440)
  return bytes
}
