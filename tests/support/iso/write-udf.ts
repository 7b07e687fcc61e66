/**
 * Writes small UDF images, whole in memory, after ECMA-167 and the OSTA UDF revisions and by nothing that the reader
 * uses. Every way to tell of a file can be asked for, so that tests can make any disc they need and damage it where
 * they like.
 */

export interface UdfFile {
  readonly bytes?: Uint8Array | string
  /** A symlink. */
  readonly target?: string
  /** How its bytes are told of; default `short`, with a metadata partition `long`. */
  readonly allocation?: 'short' | 'long' | 'embedded'
  /** Cut into pieces of this many blocks, with a foreign block between them. */
  readonly pieceBlocks?: number
  /** Not more than so many descriptors in the file entry, and in each extent that they continue in. */
  readonly descriptorsEach?: number
  /** Where the bytes lie instead: block of the partition, length, and the two upper bits of the length. */
  readonly pieces?: readonly { readonly block: number; readonly length: number; readonly kind?: number }[]
  /** What the file entry says, where that is not the truth. */
  readonly size?: number | bigint
  readonly type?: number
}

export interface UdfShape {
  readonly files: Readonly<Record<string, UdfFile | Uint8Array | string>>
  readonly blockBytes?: 512 | 2048 | 4096
  /** UDF 2: extended file entries, NSR03. Default: UDF 1.02. */
  readonly version2?: boolean
  /** UDF 2.50: file entries and folders in a partition that is a file, in two pieces. */
  readonly metadata?: boolean
  /** How folders are told of. */
  readonly folders?: 'short' | 'long' | 'embedded'
  /** Names in 16 bits a character even where 8 would do. */
  readonly wideNames?: boolean
  /** More file identifiers, in front of those of the root's children. */
  readonly identifiers?: readonly Buffer[]
  /** Sectors of the anchors; negative ones count from the end. */
  readonly anchors?: readonly number[]
  /** Put a volume descriptor pointer into the main sequence, so that it goes on elsewhere. */
  readonly continued?: boolean
}

export interface WrittenUdf {
  readonly bytes: Buffer
  readonly blockBytes: number
  /** Where the partition begins. */
  readonly partitionAt: number
  /** Where the volume descriptors of the main sequence begin, and the file set descriptor. */
  readonly sequenceAt: number
  readonly fileSetAt: number
  /** By path, '' for the root: where the file entry is, and its block. */
  readonly entries: ReadonlyMap<string, { readonly at: number; readonly block: number }>
  /** By path: where the first byte is. */
  readonly data: ReadonlyMap<string, number>
  /** By path: where the identifiers of a folder begin. */
  readonly folders: ReadonlyMap<string, number>
}

const tags = { primary: 1, anchor: 2, pointer: 3, partition: 5, logical: 6, end: 8 }
const sectors = { main: 200, reserve: 216, more: 232, anchor: 256, partition: 257 }
const metadataBlocks = 192

/** An image with these files; paths without a leading slash. */
export function writeUdf(shape: UdfShape): WrittenUdf {
  const volume = createVolume(shape)
  const files = new Map(
    Object.entries(shape.files).map(([path, file]): [string, UdfFile] => [
      path,
      typeof file === 'string' || file instanceof Uint8Array ? { bytes: file } : file,
    ]),
  )
  const fileSet = volume.meta.take(1)
  const addresses = new Map<string, number>()
  const children = childrenOf(files.keys())
  for (const path of [...children.keys(), ...files.keys()]) addresses.set(path, volume.meta.take(1))
  for (const [path, names] of children) writeFolder(volume, { path, names, addresses, children })
  for (const [path, file] of files) writeFile(volume, path, file, addresses.get(path) ?? 0)
  volume.write(volume.meta.at(fileSet), fileSetDescriptor(volume, addresses.get('') ?? 0), fileSet)
  writeMetadataFile(volume)
  return {
    bytes: writeVolume(volume, fileSet),
    blockBytes: volume.blockBytes,
    partitionAt: sectors.partition * volume.blockBytes,
    sequenceAt: sectors.main * volume.blockBytes,
    fileSetAt: volume.meta.at(fileSet),
    entries: new Map([...addresses].map(([path, block]) => [path, { at: volume.meta.at(block), block }])),
    data: volume.data,
    folders: volume.folders,
  }
}

/** Gives out blocks of a partition and says where they are in the image. */
interface Area {
  readonly take: (count: number) => number
  readonly at: (block: number) => number
}

interface Volume {
  readonly shape: UdfShape
  readonly blockBytes: number
  /** File entries and folders. */
  readonly meta: Area
  /** Everything else. */
  readonly plain: Area
  /** Partition reference of either. */
  readonly metaPartition: number
  readonly metadataFile: readonly [number, number] | undefined
  readonly data: Map<string, number>
  readonly folders: Map<string, number>
  /** Puts bytes somewhere; a tag gets its checksums. */
  readonly write: (at: number, bytes: Buffer, location?: number) => void
  readonly image: () => Buffer
  readonly used: () => number
}

function createVolume(shape: UdfShape): Volume {
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

/** Folders with the paths of what they hold, parents first; '' is the root. */
function childrenOf(paths: Iterable<string>): Map<string, string[]> {
  const found = new Map<string, string[]>([['', []]])
  for (const path of paths) {
    const parts = path.split('/')
    for (let depth = 1; depth <= parts.length; depth++) {
      const child = parts.slice(0, depth).join('/')
      const parent = parts.slice(0, depth - 1).join('/')
      if (depth < parts.length && !found.has(child)) found.set(child, [])
      const names = found.get(parent)
      if (names && !names.includes(child)) names.push(child)
    }
  }
  return found
}

interface Piece {
  readonly block: number
  readonly length: number
  readonly kind?: number
}

function writeFile(volume: Volume, path: string, file: UdfFile, block: number): void {
  const content = file.target === undefined ? Buffer.from(file.bytes ?? '') : pathComponents(file.target)
  const allocation = file.allocation ?? (volume.shape.metadata ? 'long' : 'short')
  const type = file.type ?? (file.target === undefined ? 5 : 12)
  const size = file.size ?? file.pieces?.reduce((sum, { length }) => sum + length, 0) ?? content.length
  if (allocation === 'embedded') {
    const entry = fileEntry(volume, { type, size, kind: 3, area: content, block })
    volume.data.set(path, volume.meta.at(block) + entry.length - content.length)
    return
  }
  const pieces = file.pieces ?? place(volume, path, content, file.pieceBlocks)
  const area = descriptors(volume, allocation, pieces, 0, file.descriptorsEach)
  fileEntry(volume, { type, size, kind: allocation === 'long' ? 1 : 0, area, block })
}

function place(
  volume: Volume,
  path: string,
  content: Buffer,
  pieceBlocks = Number.MAX_SAFE_INTEGER,
): Piece[] {
  const { plain, blockBytes } = volume
  const pieces: Piece[] = []
  const pieceBytes = Math.min(pieceBlocks * blockBytes, Math.max(content.length, blockBytes))
  for (let at = 0; at < content.length; at += pieceBytes) {
    const piece = content.subarray(at, at + pieceBytes)
    const block = plain.take(Math.ceil(piece.length / blockBytes))
    if (pieces.length === 0) volume.data.set(path, plain.at(block))
    volume.write(plain.at(block), piece)
    if (at + pieceBytes < content.length) volume.write(plain.at(plain.take(1)), Buffer.from('FOREIGN '))
    pieces.push({ block, length: piece.length })
  }
  return pieces
}

/** Allocation descriptors; those that are too many go on in allocation extents. */
function descriptors(
  volume: Volume,
  allocation: 'short' | 'long',
  pieces: readonly Piece[],
  partition: number,
  each = Number.MAX_SAFE_INTEGER,
): Buffer {
  const write = (piece: Piece, kind: number): Buffer => {
    const bytes = Buffer.alloc(allocation === 'short' ? 8 : 16)
    bytes.writeUInt32LE((piece.length | (kind << 30)) >>> 0, 0)
    bytes.writeUInt32LE(piece.block >>> 0, 4)
    if (allocation === 'long') bytes.writeUInt16LE(partition, 8)
    return bytes
  }
  const here = pieces.slice(0, each).map((piece) => write(piece, piece.kind ?? 0))
  if (pieces.length <= each) return Buffer.concat(here)
  const rest = descriptors(volume, allocation, pieces.slice(each), partition, each)
  const block = volume.plain.take(1)
  const head = Buffer.alloc(24)
  head.writeUInt16LE(258, 0)
  head.writeUInt32LE(rest.length, 20)
  volume.write(volume.plain.at(block), Buffer.concat([head, rest]), block)
  return Buffer.concat([...here, write({ block, length: volume.blockBytes }, 3)])
}

interface EntryShape {
  readonly type: number
  readonly size: number | bigint
  readonly kind: number
  readonly area: Buffer
  readonly block: number
  readonly at?: number
}

function fileEntry(volume: Volume, { type, size, kind, area, block, at }: EntryShape): Buffer {
  const extended = volume.shape.version2 === true
  const head = Buffer.alloc(extended ? 216 : 176)
  head.writeUInt16LE(extended ? 266 : 261, 0)
  head.writeUInt16LE(4, 20) // strategy
  head.writeUInt16LE(1, 24)
  head[27] = type
  head.writeUInt16LE(kind, 34)
  head.writeUInt32LE(0x14a5, 44) // r-x for all
  head.writeUInt16LE(1, 48)
  head.writeBigUInt64LE(BigInt(size), 56)
  if (extended) head.writeBigUInt64LE(BigInt(size), 64)
  for (const time of extended ? [80, 92, 104, 116] : [72, 84, 96]) timestamp().copy(head, time)
  head.writeUInt32LE(1, extended ? 128 : 108)
  // A few bytes of extended attributes, so that nobody forgets them.
  const attributes = Buffer.from('ATTR')
  head.writeUInt32LE(attributes.length, extended ? 208 : 168)
  head.writeUInt32LE(area.length, extended ? 212 : 172)
  const bytes = Buffer.concat([head, attributes, area])
  if (bytes.length > volume.blockBytes) throw new Error(`a file entry of ${bytes.length} bytes`)
  volume.write(at ?? volume.meta.at(block), bytes, block)
  return bytes
}

interface FolderShape {
  readonly path: string
  readonly names: readonly string[]
  readonly addresses: ReadonlyMap<string, number>
  readonly children: ReadonlyMap<string, unknown>
}

function writeFolder(volume: Volume, { path, names, addresses, children }: FolderShape): void {
  const { shape, meta, blockBytes, metaPartition } = volume
  const block = addresses.get(path) ?? 0
  const parent = addresses.get(path.slice(0, Math.max(0, path.lastIndexOf('/')))) ?? block
  const wide = shape.wideNames === true
  const content = Buffer.concat([
    identifier({ name: '', block: parent, partition: metaPartition, flags: 10 }),
    // What a deletion leaves behind: its name is not to be read.
    identifier({ name: 'deleted', block: 0xfffffff0, partition: 7, flags: 4 }),
    ...(path === '' ? (shape.identifiers ?? []) : []),
    ...names.map((child) =>
      identifier({
        name: child.slice(child.lastIndexOf('/') + 1),
        block: addresses.get(child) ?? 0,
        partition: metaPartition,
        flags: children.has(child) ? 2 : 0,
        wide,
        // Four bytes of implementation use here and there.
        use: child.length % 3 === 0 ? Buffer.from('USE!') : Buffer.alloc(0),
      }),
    ),
  ])
  const allocation = shape.folders ?? 'short'
  if (allocation === 'embedded') {
    const entry = fileEntry(volume, { type: 4, size: content.length, kind: 3, area: content, block })
    volume.folders.set(path, meta.at(block) + entry.length - content.length)
    return
  }
  // Two pieces where there is enough, so that an identifier is cut in two.
  const blocks = Math.ceil(content.length / blockBytes)
  const pieces: Piece[] = []
  for (let i = 0; i < blocks; i++) {
    const piece = content.subarray(i * blockBytes, (i + 1) * blockBytes)
    const taken = meta.take(i === 0 ? 1 : 2) + (i === 0 ? 0 : 1)
    volume.write(meta.at(taken), piece)
    if (i === 0) volume.folders.set(path, meta.at(taken))
    pieces.push({ block: taken, length: piece.length })
  }
  const area = descriptors(volume, allocation, pieces, metaPartition, Math.floor((blockBytes - 240) / 16))
  fileEntry(volume, { type: 4, size: content.length, kind: allocation === 'long' ? 1 : 0, area, block })
}

export interface IdentifierShape {
  readonly name: string
  readonly block: number
  readonly partition?: number
  /** 1 hidden, 2 folder, 4 deleted, 8 parent. */
  readonly flags?: number
  readonly wide?: boolean
  readonly use?: Buffer
}

/** A file identifier descriptor. */
export function identifier(shape: IdentifierShape): Buffer {
  const { name, block, partition = 0, flags = 0, wide = false, use = Buffer.alloc(0) } = shape
  const text = name === '' ? Buffer.alloc(0) : compressed(name, wide)
  const bytes = Buffer.alloc(Math.ceil((38 + use.length + text.length) / 4) * 4)
  bytes.writeUInt16LE(257, 0)
  bytes.writeUInt16LE(1, 16)
  bytes[18] = flags
  bytes[19] = text.length
  bytes.writeUInt32LE(2048, 20)
  bytes.writeUInt32LE(block >>> 0, 24)
  bytes.writeUInt16LE(partition, 28)
  bytes.writeUInt16LE(use.length, 36)
  use.copy(bytes, 38)
  text.copy(bytes, 38 + use.length)
  return seal(bytes, 0, block >>> 0)
}

/** OSTA CS0: 8 bits a character where that is enough. */
function compressed(text: string, wide = false): Buffer {
  return wide || /[^\0-\xff]/.test(text)
    ? Buffer.concat([Buffer.from([16]), Buffer.from(text, 'utf16le').swap16()])
    : Buffer.concat([Buffer.from([8]), Buffer.from(text, 'latin1')])
}

function dstring(text: string, length: number): Buffer {
  const field = Buffer.alloc(length)
  const used = compressed(text).copy(field, 0, 0)
  field[length - 1] = used
  return field
}

function pathComponents(target: string): Buffer {
  return Buffer.concat(
    target.split('/').map((part) => {
      if (part === '') return Buffer.from([2, 0, 0, 0])
      if (part === '..') return Buffer.from([3, 0, 0, 0])
      if (part === '.') return Buffer.from([4, 0, 0, 0])
      const text = compressed(part)
      return Buffer.concat([Buffer.from([5, text.length, 0, 0]), text])
    }),
  )
}

/** 2024-04-14 14:00 two hours east of Greenwich. */
function timestamp(): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt16LE(0x1000 | 120, 0)
  bytes.writeInt16LE(2024, 2)
  Buffer.from([4, 14, 14, 0, 0, 0]).copy(bytes, 4)
  return bytes
}

function regid(text: string, suffix = 0): Buffer {
  const bytes = Buffer.alloc(32)
  bytes.write(text, 1, 'latin1')
  bytes.writeUInt16LE(suffix, 24)
  return bytes
}

const charset = Buffer.concat([Buffer.from([0]), Buffer.from('OSTA Compressed Unicode'), Buffer.alloc(40)])

function fileSetDescriptor(volume: Volume, root: number): Buffer {
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
  return shape.metadata ? 0x0250 : shape.version2 ? 0x0201 : 0x0102
}

/** The metadata file and its mirror, which say where the metadata partition is. */
function writeMetadataFile(volume: Volume): void {
  const { metadataFile, meta, blockBytes } = volume
  if (!metadataFile) return
  const half = metadataBlocks / 2
  const blockOf = (at: number) => at / blockBytes - sectors.partition
  const pieces = [0, half].map((block) => ({ block: blockOf(meta.at(block)), length: half * blockBytes }))
  const area = descriptors(volume, 'short', pieces, 0)
  for (const [i, block] of metadataFile.entries())
    fileEntry(volume, {
      type: 250 + i,
      size: metadataBlocks * blockBytes,
      kind: 0,
      area,
      block,
      at: volume.plain.at(block),
    })
}

function writeVolume(volume: Volume, fileSet: number): Buffer {
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

function tagged(id: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  bytes.writeUInt16LE(id, 0)
  return bytes
}

/**
 * Makes the tag at `at` hold again: version, CRC, checksum, and its location where one is given. `bytes` must end
 * with the descriptor unless the tag has a CRC length already.
 */
export function seal(bytes: Buffer, at = 0, location?: number): Buffer {
  bytes.writeUInt16LE(2, at + 2)
  const length = bytes.readUInt16LE(at + 10) || Math.min(0xffff, bytes.length - at - 16)
  bytes.writeUInt16LE(crcOf(bytes.subarray(at + 16, at + 16 + length)), at + 8)
  bytes.writeUInt16LE(length, at + 10)
  if (location !== undefined) bytes.writeUInt32LE(location, at + 12)
  bytes[at + 4] = 0
  bytes[at + 4] = bytes.subarray(at, at + 16).reduce((sum, byte) => sum + byte, 0) & 0xff
  return bytes
}

/** Where descriptors with a tag that holds begin; of all kinds or of one. */
export function tagsIn(bytes: Buffer, id?: number): number[] {
  const found: number[] = []
  for (let at = 0; at + 16 <= bytes.length; at += 4) {
    if (bytes[at + 2] !== 2 || bytes[at + 3] !== 0 || bytes[at + 5] !== 0) continue
    const sum = bytes.subarray(at, at + 16).reduce((all, byte, i) => all + (i === 4 ? 0 : byte), 0)
    const length = bytes.readUInt16LE(at + 10)
    if ((sum & 0xff) !== bytes[at + 4] || length === 0 || (id !== undefined && bytes.readUInt16LE(at) !== id))
      continue
    if (crcOf(bytes.subarray(at + 16, at + 16 + length)) === bytes.readUInt16LE(at + 8)) found.push(at)
  }
  return found
}

/** Bit by bit, after the polynomial of ECMA-167 1/7.2.6. */
function crcOf(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes)
    for (let bit = 7; bit >= 0; bit--) {
      const out = (crc >> 15) ^ ((byte >> bit) & 1)
      crc = ((crc << 1) & 0xffff) ^ (out ? 0x1021 : 0)
    }
  return crc
}
