import { damaged, type Image } from '../iso/image.ts'
import type { Bytes } from './space.ts'

/** Descriptor tag identifiers (ECMA-167 3/7.2.1 and 4/7.2.1). */
export const tagIds = {
  primaryVolume: 1,
  anchor: 2,
  volumePointer: 3,
  partition: 5,
  logicalVolume: 6,
  terminating: 8,
  fileSet: 256,
  fileIdentifier: 257,
  allocationExtent: 258,
  fileEntry: 261,
  extendedFileEntry: 266,
} as const

export const tagBytes = 16

/** The identifier of the descriptor that begins here. */
export function tagId(bytes: Buffer): number {
  return bytes.readUInt16LE(0)
}

/**
 * Returns what is wrong with the tag that begins a descriptor; undefined for a valid tag.
 *
 * The checksum covers the tag, the CRC covers as many bytes as the tag says. We do as Linux does
 * (`udf_read_tagged`): a CRC over more bytes than there are is ignored, and versions 2 and 3 (UDF 1 and 2)
 * are accepted.
 *
 * @param bytes All bytes that may belong to the descriptor: a tag at least.
 * @param location The block or sector that the tag must name. A block left over from an older volume names
 *   another.
 */
export function tagTrouble(bytes: Buffer, location?: number): string | undefined {
  let sum = 0
  for (let at = 0; at < tagBytes; at++) if (at !== 4) sum += bytes[at] ?? 0
  if ((sum & 0xff) !== bytes[4]) return `has the checksum ${bytes[4]}, expected ${sum & 0xff}`
  const version = bytes.readUInt16LE(2)
  if (version !== 2 && version !== 3) return `is of version ${version}, expected 2 or 3`
  const crcLength = bytes.readUInt16LE(10)
  if (tagBytes + crcLength <= bytes.length) {
    const crc = crc16(bytes.subarray(tagBytes, tagBytes + crcLength))
    if (crc !== bytes.readUInt16LE(8))
      return `has the CRC ${bytes.readUInt16LE(8)}, expected ${crc} for its ${crcLength} bytes`
  }
  const said = bytes.readUInt32LE(12)
  if (location !== undefined && said !== location) return `says it lies in block ${said}, not in ${location}`
  return undefined
}

/** Which descriptor must begin at a place. */
interface ExpectedTag {
  readonly ids: readonly number[]
  /** What the descriptor is called in messages. */
  readonly what: string
  /** The block or sector that it must say it lies in. */
  readonly location?: number
}

/** @throws Failure that names the byte, when another descriptor begins there or the tag is damaged. */
export function expectTag(image: Image, { bytes, at }: Bytes, { ids, what, location }: ExpectedTag): void {
  const id = tagId(bytes)
  const trouble = tagTrouble(bytes, location)
  if (!ids.includes(id))
    throw damaged(image, at, `expected ${what} (tag ${ids.join(' or ')}), found the tag ${id}`)
  if (trouble !== undefined) throw damaged(image, at, `${what} ${trouble}`)
}

const crcTable = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc
})

/** The CRC of ECMA-167 1/7.2.6: polynomial x^16 + x^12 + x^5 + 1, beginning with 0. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) crc = ((crc << 8) ^ (crcTable[(crc >> 8) ^ byte] ?? 0)) & 0xffff
  return crc
}
