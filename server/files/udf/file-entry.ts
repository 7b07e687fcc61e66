import { Failure } from '../../core/failure.ts'
import { damaged, type Image } from '../iso/image.ts'
import { type BlockAddress, readBlock, type Space } from './space.ts'
import { expectTag, tagId, tagIds } from './tag.ts'
import { decodeTime } from './text.ts'

/** File types of an ICB (ECMA-167 4/14.6.6, UDF 2.50 2.2.13). */
export const fileTypes = {
  unspecified: 0,
  folder: 4,
  bytes: 5,
  symlink: 12,
  realTime: 249,
  metadata: 250,
  metadataMirror: 251,
} as const

/**
 * How a file entry names the bytes of its file: by descriptors of 8 or 16 bytes, or it holds the bytes
 * itself.
 */
export type Allocation = 'short' | 'long' | 'embedded'

/**
 * A file entry, or an extended one (ECMA-167 4/14.9 and 4/14.17): everything that UDF knows of a file except
 * its name.
 */
export interface FileEntry {
  /** The position of the entry in the image. */
  readonly at: number
  readonly address: BlockAddress
  readonly type: number
  readonly size: number
  readonly modifiedMs: number
  readonly allocation: Allocation
  /** The allocation descriptors, or the bytes of the file. */
  readonly area: Buffer
  readonly areaAt: number
}

/** The positions of the file type and of the size ("information length") in both forms. */
export const typeAt = 27
export const sizeAt = 56
/** The positions of the strategy and of the flags of the ICB in both forms. */
const strategyAt = 20
const flagsAt = 34

/**
 * The positions of the other fields in the two forms. `lengths` are those of the extended attributes and of what
 * follows them; `end` is the end of the fixed fields.
 */
const layouts = {
  [tagIds.fileEntry]: { modified: 84, lengths: 168, end: 176 },
  [tagIds.extendedFileEntry]: { modified: 92, lengths: 208, end: 216 },
}

/**
 * Reads a file entry.
 *
 * @param namedAt The byte of the image that names the address, for messages.
 * @throws Failure `invalid-data` naming the byte; `unsupported` for ICB strategy 4096 of write-once discs.
 */
export async function readFileEntry(
  space: Space,
  address: BlockAddress,
  namedAt: number,
): Promise<FileEntry> {
  const { image } = space
  const { bytes, at } = await readBlock(space, address, namedAt, 'a file entry (UDF)')
  const ids = [tagIds.fileEntry, tagIds.extendedFileEntry]
  expectTag(image, { bytes, at }, { ids, what: 'a file entry (UDF)', location: address.block })
  const layout = layouts[tagId(bytes) as keyof typeof layouts]
  const strategy = bytes.readUInt16LE(strategyAt)
  if (strategy !== 4)
    throw unsupported(
      image,
      at + strategyAt,
      `the file entry has the ICB strategy ${strategy} (a disc written in steps)`,
    )
  const attributes = bytes.readUInt32LE(layout.lengths)
  const length = bytes.readUInt32LE(layout.lengths + 4)
  const start = layout.end + attributes
  if (start + length > bytes.length)
    throw damaged(
      image,
      at + layout.lengths,
      `the file entry has ${attributes} bytes of attributes and ${length} of allocation descriptors, where its block has ${bytes.length - layout.end} for both`,
    )
  const size = bytes.readBigUInt64LE(sizeAt)
  if (size > BigInt(Number.MAX_SAFE_INTEGER))
    throw damaged(image, at + sizeAt, `the file entry claims a file of ${size} bytes`)
  const allocation = allocationOf(image, bytes, at)
  if (allocation === 'embedded' && size > length)
    throw damaged(image, at + sizeAt, `the file entry holds ${length} bytes of a file of ${size}`)
  return {
    at,
    address,
    type: bytes[typeAt] ?? 0,
    size: Number(size),
    modifiedMs: decodeTime(bytes, layout.modified),
    allocation,
    area: bytes.subarray(start, start + length),
    areaAt: at + start,
  }
}

/** The low three bits of the ICB's flags (ECMA-167 4/14.6.8). UDF forbids 2, extended descriptors. */
function allocationOf(image: Image, bytes: Buffer, at: number): Allocation {
  const kind = bytes.readUInt16LE(flagsAt) & 7
  if (kind === 0) return 'short'
  if (kind === 1) return 'long'
  if (kind === 3) return 'embedded'
  throw damaged(image, at + flagsAt, `expected allocation descriptors of the kind 0, 1 or 3, found ${kind}`)
}

/** A failure for what the standard allows and we do not read. It names the byte and the remedy. */
export function unsupported(image: Pick<Image, 'name'>, at: number, what: string): Failure {
  return new Failure(
    'unsupported',
    `${image.name}, byte ${at}: ${what}, which is not read; unpack the image into a folder of trees/ (7z x ${image.name})`,
  )
}
