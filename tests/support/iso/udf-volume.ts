import { charset, dstring, regid, seal, tagged, tags, timestamp } from './udf-fields.ts'
import type { UdfShape } from './udf-shape.ts'

/**
 * Where the parts of a volume begin: the main and the reserve sequence of volume descriptors, the place where
 * the main one may continue, the anchor, and the partition. Only the anchor's sector is prescribed.
 */
export const sectors = { main: 200, reserve: 216, more: 232, anchor: 256, partition: 257 }
/** UDF 2.2.3: the least sectors of a sequence. */
const sequenceSectors = 16
/** Blocks of the metadata partition: enough for our tests, in whole allocation units. */
export const metadataBlocks = 192
const allocationUnitBlocks = 32

/** Allocates blocks of a partition and gives their positions in the image. */
export interface Area {
  readonly take: (count: number) => number
  readonly at: (block: number) => number
}

/** A volume that is being written. */
export interface Volume {
  readonly shape: UdfShape
  readonly blockBytes: number
  /** The blocks of file entries and folders. */
  readonly meta: Area
  /** The blocks of everything else. */
  readonly plain: Area
  /** The partition reference of `meta`. */
  readonly metaPartition: number
  /** The blocks of the file entries of the metadata file and its mirror. */
  readonly metadataFile: readonly [number, number] | undefined
  /** By path, as in `WrittenUdf`: where the bytes of files and the identifiers of folders begin in the image. */
  readonly data: Map<string, number>
  readonly folders: Map<string, number>
  /** Writes bytes at a position. With a location, they are a descriptor, whose tag gets its checksums. */
  readonly write: (at: number, bytes: Buffer, location?: number) => void
  readonly image: () => Buffer
  /** How many blocks of the partition are taken. */
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
    // Blocks between its two pieces.
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

/** ECMA-167 4/14.1. `root` is the block of the root's file entry. */
export function fileSetDescriptor(volume: Volume, root: number): Buffer {
  const bytes = tagged(tags.fileSet, 512)
  timestamp().copy(bytes, 16)
  bytes.writeUInt16LE(3, 28) // interchange level
  bytes.writeUInt16LE(3, 30) // maximum interchange level
  bytes.writeUInt32LE(1, 32) // character set list
  bytes.writeUInt32LE(1, 36) // maximum character set list
  charset.copy(bytes, 48)
  dstring('TEST', 128).copy(bytes, 112) // identifier of the logical volume
  charset.copy(bytes, 240)
  dstring('TEST', 32).copy(bytes, 304) // identifier of the file set
  bytes.writeUInt32LE(volume.blockBytes, 400) // ICB of the root: length, block, partition
  bytes.writeUInt32LE(root, 404)
  bytes.writeUInt16LE(volume.metaPartition, 408)
  regid('*OSTA UDF Compliant', revision(volume)).copy(bytes, 416)
  return bytes
}

function revision({ shape }: Volume): number {
  if (shape.metadata) return 0x0250
  return shape.version2 ? 0x0201 : 0x0102
}

/**
 * Writes everything that leads to the file set. Each sequence has a primary volume, partition, logical volume and
 * terminating descriptor, in this order.
 */
export function writeVolume(volume: Volume, fileSet: number): Buffer {
  const { shape, blockBytes } = volume
  // The volume recognition sequence (ECMA-167 2/9), behind the system area of 32 KiB.
  for (const [i, name] of [
    'BEA01',
    shape.version2 || shape.metadata ? 'NSR03' : 'NSR02',
    'TEA01',
  ].entries()) {
    const structure = Buffer.alloc(2048)
    structure.write(name, 1, 'latin1')
    structure[6] = 1 // version
    volume.write(32768 + i * Math.max(2048, blockBytes), structure)
  }
  const sequence = [
    primaryVolume(),
    partitionDescriptor(volume),
    logicalVolume(volume, fileSet),
    tagged(tags.terminating, 512),
  ]
  for (const [i, descriptor] of sequence.entries())
    volume.write((sectors.reserve + i) * blockBytes, descriptor, sectors.reserve + i)
  if (shape.continued) {
    const pointer = tagged(tags.volumePointer, 512)
    pointer.writeUInt32LE(sequenceSectors * blockBytes, 20) // the next extent: length, sector
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

/** ECMA-167 3/10.2: length and sector of each sequence. */
function anchorDescriptor(blockBytes: number): Buffer {
  const bytes = tagged(tags.anchor, 512)
  bytes.writeUInt32LE(sequenceSectors * blockBytes, 16)
  bytes.writeUInt32LE(sectors.main, 20)
  bytes.writeUInt32LE(sequenceSectors * blockBytes, 24)
  bytes.writeUInt32LE(sectors.reserve, 28)
  return bytes
}

/** ECMA-167 3/10.1 */
function primaryVolume(): Buffer {
  const bytes = tagged(tags.primaryVolume, 512)
  dstring('TEST', 32).copy(bytes, 24)
  bytes.writeUInt16LE(1, 56) // volume sequence number
  bytes.writeUInt16LE(1, 58) // maximum volume sequence number
  dstring('0123456789ABCDEF', 128).copy(bytes, 72) // identifier of the volume set
  charset.copy(bytes, 200) // descriptor character set
  charset.copy(bytes, 264) // explanatory character set
  timestamp().copy(bytes, 376)
  return bytes
}

/** ECMA-167 3/10.5 */
function partitionDescriptor(volume: Volume): Buffer {
  const bytes = tagged(tags.partition, 512)
  bytes.writeUInt32LE(1, 16) // volume descriptor sequence number
  bytes.writeUInt16LE(1, 20) // flags: space is allocated
  regid(volume.shape.version2 || volume.shape.metadata ? '+NSR03' : '+NSR02').copy(bytes, 24)
  bytes.writeUInt32LE(1, 184) // access type: read only
  bytes.writeUInt32LE(sectors.partition, 188) // start and length, in sectors
  bytes.writeUInt32LE(volume.used(), 192)
  return bytes
}

/** ECMA-167 3/10.6. `fileSet` is the block of the file set descriptor. */
function logicalVolume(volume: Volume, fileSet: number): Buffer {
  // A partition map of type 1 with 6 bytes: volume sequence number 1, partition number 0.
  const maps: Buffer[] = [Buffer.from([1, 6, 1, 0, 0, 0])]
  if (volume.metadataFile) {
    // UDF 2.50 2.2.10: a map of type 2 for the metadata partition. Its partition number is 0, too.
    const map = Buffer.alloc(64)
    map[0] = 2
    map[1] = 64
    regid('*UDF Metadata Partition', 0x0250).copy(map, 4)
    map.writeUInt16LE(1, 36) // volume sequence number
    for (const [i, block] of volume.metadataFile.entries()) map.writeUInt32LE(block, 40 + 4 * i)
    map.writeUInt32LE(0xffffffff, 48) // no bitmap file
    map.writeUInt32LE(allocationUnitBlocks, 52)
    map.writeUInt16LE(1, 56) // alignment unit, in blocks
    maps.push(map)
  }
  const table = Buffer.concat(maps)
  const bytes = Buffer.alloc(Math.max(512, 440 + table.length))
  bytes.writeUInt16LE(tags.logicalVolume, 0)
  bytes.writeUInt32LE(2, 16) // volume descriptor sequence number
  charset.copy(bytes, 20)
  dstring('TEST', 128).copy(bytes, 84)
  bytes.writeUInt32LE(volume.blockBytes, 212)
  regid('*OSTA UDF Compliant', revision(volume)).copy(bytes, 216)
  bytes.writeUInt32LE(volume.blockBytes, 248) // file set: length, block, partition
  bytes.writeUInt32LE(fileSet, 252)
  bytes.writeUInt16LE(volume.metaPartition, 256)
  bytes.writeUInt32LE(table.length, 264)
  bytes.writeUInt32LE(maps.length, 268)
  table.copy(bytes, 440)
  return bytes
}
