import { damaged, type Image } from '../iso/image.ts'
import { type BlockAddress, readAddress } from './space.ts'
import { expectTag, tagIds } from './tag.ts'
import { decodeCs0 } from './text.ts'

/** A name in a folder, and the address of its file entry (ECMA-167 4/14.4). */
export interface FileIdentifier {
  readonly at: number
  readonly name: string
  readonly isFolder: boolean
  readonly address: BlockAddress
}

/** Bytes of the fixed part of a file identifier descriptor. */
const headBytes = 38
/** Positions of fields in it. Implementation use, of `useBytes`, and the name follow the fixed part. */
const field = { flags: 18, nameBytes: 19, icb: 20, useBytes: 36 }

/** Bits of the file characteristics. Hidden files (bit 0) are shown, as 7-Zip does: they can be asked for. */
const isFolder = 2
const isDeleted = 4
const isParent = 8

/**
 * Decodes the names of a folder. Deleted names and the parent folder are left out.
 *
 * @param offsetOf Maps a byte of the folder to the image. A descriptor may begin in one block and end in
 *   another.
 */
export function* fileIdentifiers(
  image: Image,
  bytes: Buffer,
  offsetOf: (position: number) => number,
): Generator<FileIdentifier> {
  for (let at = 0; at < bytes.length; ) {
    const what = 'a file identifier descriptor'
    const left = bytes.length - at
    if (left < headBytes)
      throw damaged(image, offsetOf(at), `expected ${what} of at least ${headBytes} bytes, found ${left}`)
    const nameLength = bytes[at + field.nameBytes] ?? 0
    const useLength = bytes.readUInt16LE(at + field.useBytes)
    const length = Math.ceil((headBytes + useLength + nameLength) / 4) * 4
    const record = bytes.subarray(at, at + length)
    expectTag(image, { bytes: record, at: offsetOf(at) }, { ids: [tagIds.fileIdentifier], what })
    if (headBytes + useLength + nameLength > left)
      throw damaged(image, offsetOf(at), `${what} says it has ${length} bytes, but the folder has ${left}`)
    const flags = record[field.flags] ?? 0
    // An unused descriptor has an ICB of length 0.
    if ((flags & (isDeleted | isParent)) === 0 && record.readUInt32LE(field.icb) !== 0) {
      const start = headBytes + useLength
      const name = decodeCs0(record.subarray(start, start + nameLength))
      if (name === undefined)
        throw damaged(
          image,
          offsetOf(at + start),
          `expected a name of 8 or 16 bits a character, found the kind ${record[start]} and ${nameLength} bytes`,
        )
      yield {
        at: offsetOf(at),
        name,
        isFolder: (flags & isFolder) !== 0,
        address: readAddress(record, field.icb + 4),
      }
    }
    at += length
  }
}
