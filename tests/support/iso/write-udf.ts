/**
 * Writes small UDF images, whole in memory, after ECMA-167 and the OSTA UDF revisions. It shares no code with
 * the reader. It can write every form of file entry, so that tests can make any disc and damage it anywhere.
 */

import { identifier, identifierFlags, pathComponents, tagged, tags, timestamp } from './udf-fields.ts'
import type { UdfFile, UdfShape, WrittenUdf } from './udf-shape.ts'
import {
  createVolume,
  fileSetDescriptor,
  metadataBlocks,
  sectors,
  type Volume,
  writeVolume,
} from './udf-volume.ts'

export {
  fieldAt,
  identifier,
  identifierFlags,
  seal,
  shortDescriptorBytes,
  tags,
  tagsIn,
} from './udf-fields.ts'
export type { UdfFile, UdfShape, WrittenUdf } from './udf-shape.ts'
export { sectors } from './udf-volume.ts'

/** File types of an ICB (ECMA-167 4/14.6.6, UDF 2.50 2.2.13). */
const fileTypes = { folder: 4, bytes: 5, symlink: 12, metadata: 250, metadataMirror: 251 }
/** Which allocation descriptors a file entry has (ECMA-167 4/14.6.8). */
const allocationKinds = { short: 0, long: 1, embedded: 3 }

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

/** The folders and the paths of their children, parents first; '' is the root. */
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

/** What an allocation descriptor says. */
interface Piece {
  readonly block: number
  readonly length: number
  /** The two upper bits of the length. */
  readonly kind?: number
}

/** The `kind` of a descriptor that leads to more descriptors. */
const continued = 3

function writeFile(volume: Volume, path: string, file: UdfFile, block: number): void {
  const content = file.target === undefined ? Buffer.from(file.bytes ?? '') : pathComponents(file.target)
  const allocation = file.allocation ?? (volume.shape.metadata ? 'long' : 'short')
  const type = file.type ?? (file.target === undefined ? fileTypes.bytes : fileTypes.symlink)
  const size = file.size ?? file.pieces?.reduce((sum, { length }) => sum + length, 0) ?? content.length
  if (allocation === 'embedded') {
    const entry = fileEntry(volume, { type, size, allocation, area: content, block })
    volume.data.set(path, volume.meta.at(block) + entry.length - content.length)
    return
  }
  const pieces = file.pieces ?? place(volume, path, content, file.pieceBlocks)
  const area = descriptors(volume, pieces, { allocation, partition: 0, each: file.descriptorsEach })
  fileEntry(volume, { type, size, allocation, area, block })
}

/** Writes the bytes of a file, and returns where. */
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
    // A foreign block keeps the next piece apart.
    if (at + pieceBytes < content.length) volume.write(plain.at(plain.take(1)), Buffer.from('FOREIGN '))
    pieces.push({ block, length: piece.length })
  }
  return pieces
}

interface DescriptorForm {
  readonly allocation: 'short' | 'long'
  /** The partition that long descriptors name. */
  readonly partition: number
  /** How many descriptors one area holds. */
  readonly each?: number | undefined
}

/** Allocation descriptors; those that do not fit go on in allocation extents. */
function descriptors(volume: Volume, pieces: readonly Piece[], form: DescriptorForm): Buffer {
  const { allocation, partition, each = Math.max(1, pieces.length) } = form
  const write = (piece: Piece, kind: number): Buffer => {
    const bytes = Buffer.alloc(allocation === 'short' ? 8 : 16)
    bytes.writeUInt32LE((piece.length | (kind << 30)) >>> 0, 0)
    bytes.writeUInt32LE(piece.block >>> 0, 4)
    if (allocation === 'long') bytes.writeUInt16LE(partition, 8)
    return bytes
  }
  const areaFrom = (from: number): Buffer =>
    Buffer.concat(pieces.slice(from, from + each).map((piece) => write(piece, piece.kind ?? 0)))
  // The last area is written first: the one before it names its block.
  let from = Math.max(0, Math.ceil(pieces.length / each) - 1) * each
  let area = areaFrom(from)
  while (from > 0) {
    const block = volume.plain.take(1)
    const head = tagged(tags.allocationExtent, 24)
    head.writeUInt32LE(area.length, 20)
    volume.write(volume.plain.at(block), Buffer.concat([head, area]), block)
    from -= each
    area = Buffer.concat([areaFrom(from), write({ block, length: volume.blockBytes }, continued)])
  }
  return area
}

interface EntryShape {
  readonly type: number
  readonly size: number | bigint
  readonly allocation: 'short' | 'long' | 'embedded'
  /** The allocation descriptors, or the bytes of the file. */
  readonly area: Buffer
  readonly block: number
  /** The position in the image, for an entry that is not in `meta`. */
  readonly at?: number
}

/** A file entry (ECMA-167 4/14.9), or an extended one (4/14.17) with an object size and a creation time. */
function fileEntry(volume: Volume, { type, size, allocation, area, block, at }: EntryShape): Buffer {
  const extended = volume.shape.version2 === true
  const head = extended ? tagged(tags.extendedFileEntry, 216) : tagged(tags.fileEntry, 176)
  head.writeUInt16LE(4, 20) // strategy
  head.writeUInt16LE(1, 24) // maximum number of entries
  head[27] = type
  head.writeUInt16LE(allocationKinds[allocation], 34)
  head.writeUInt32LE(0x14a5, 44) // r-x for all
  head.writeUInt16LE(1, 48) // link count
  head.writeBigUInt64LE(BigInt(size), 56)
  if (extended) head.writeBigUInt64LE(BigInt(size), 64) // object size
  for (const time of extended ? [80, 92, 104, 116] : [72, 84, 96]) timestamp().copy(head, time)
  head.writeUInt32LE(1, extended ? 128 : 108) // checkpoint
  // A few bytes of extended attributes, which a reader must skip.
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
  /** The paths of what is in it. */
  readonly names: readonly string[]
  /** The block of each file entry, by path. */
  readonly addresses: ReadonlyMap<string, number>
  /** All folders of the image, by path. */
  readonly children: ReadonlyMap<string, unknown>
}

function writeFolder(volume: Volume, { path, names, addresses, children }: FolderShape): void {
  const { shape, meta, blockBytes, metaPartition } = volume
  const block = addresses.get(path) ?? 0
  const parent = addresses.get(path.slice(0, Math.max(0, path.lastIndexOf('/')))) ?? block
  const wide = shape.wideNames === true
  const content = Buffer.concat([
    identifier({
      name: '',
      block: parent,
      partition: metaPartition,
      flags: identifierFlags.parent + identifierFlags.folder,
    }),
    // A deleted file, which a reader must skip: its block and partition do not exist.
    identifier({ name: 'deleted', block: 0xfffffff0, partition: 7, flags: identifierFlags.deleted }),
    ...(path === '' ? (shape.identifiers ?? []) : []),
    ...names.map((child) =>
      identifier({
        name: child.slice(child.lastIndexOf('/') + 1),
        block: addresses.get(child) ?? 0,
        partition: metaPartition,
        flags: children.has(child) ? identifierFlags.folder : 0,
        wide,
        // Some identifiers have four bytes of implementation use.
        use: child.length % 3 === 0 ? Buffer.from('USE!') : Buffer.alloc(0),
      }),
    ),
  ])
  const allocation = shape.folders ?? 'short'
  if (allocation === 'embedded') {
    const entry = fileEntry(volume, {
      type: fileTypes.folder,
      size: content.length,
      allocation,
      area: content,
      block,
    })
    volume.folders.set(path, meta.at(block) + entry.length - content.length)
    return
  }
  // Blocks that do not follow each other, so that an identifier is cut in two.
  const blocks = Math.ceil(content.length / blockBytes)
  const pieces: Piece[] = []
  for (let i = 0; i < blocks; i++) {
    const piece = content.subarray(i * blockBytes, (i + 1) * blockBytes)
    const taken = meta.take(i === 0 ? 1 : 2) + (i === 0 ? 0 : 1)
    volume.write(meta.at(taken), piece)
    if (i === 0) volume.folders.set(path, meta.at(taken))
    pieces.push({ block: taken, length: piece.length })
  }
  // Descriptors of up to 16 bytes in the block of the file entry: 240 bytes are enough for its fields (216), its
  // attributes (4), and the descriptor that leads to more (16).
  const each = Math.floor((blockBytes - 240) / 16)
  const area = descriptors(volume, pieces, { allocation, partition: metaPartition, each })
  fileEntry(volume, { type: fileTypes.folder, size: content.length, allocation, area, block })
}

/** The metadata file and its mirror, which have the places of the metadata partition. */
function writeMetadataFile(volume: Volume): void {
  const { metadataFile, meta, blockBytes, shape } = volume
  if (!metadataFile) return
  const half = metadataBlocks / 2
  const blockOf = (at: number) => at / blockBytes - sectors.partition
  const pieces = [0, half].map((block) => ({ block: blockOf(meta.at(block)), length: half * blockBytes }))
  while (pieces.length < (shape.metadataPieces ?? 0)) pieces.push({ block: 0, length: blockBytes })
  // 200 descriptors of 8 bytes fit beside the fields of a file entry.
  const area = descriptors(volume, pieces, { allocation: 'short', partition: 0, each: 200 })
  for (const [i, block] of metadataFile.entries())
    fileEntry(volume, {
      type: i === 0 ? fileTypes.metadata : fileTypes.metadataMirror,
      size: pieces.reduce((sum, { length }) => sum + length, 0),
      allocation: 'short',
      area,
      block,
      at: volume.plain.at(block),
    })
}
