/** The fields of UDF descriptors, written after ECMA-167. The reader shares none of this code. */

/** Tag identifiers (ECMA-167 3/7.2.1 and 4/7.2.1). */
export const tags = {
  primaryVolume: 1,
  anchor: 2,
  volumePointer: 3,
  implementationUse: 4,
  partition: 5,
  logicalVolume: 6,
  terminating: 8,
  fileSet: 256,
  fileIdentifier: 257,
  allocationExtent: 258,
  fileEntry: 261,
  extendedFileEntry: 266,
} as const

/**
 * Positions of fields in their descriptor, for tests that change them. An ICB and a long allocation descriptor
 * begin with a length; `block` and `partition` follow at 4 and 8.
 */
export const fieldAt = {
  /** ECMA-167 3/7.2. The tag has 16 bytes; the CRC covers `crcLength` bytes behind it. */
  tag: { version: 2, checksum: 4, crc: 8, crcLength: 10, location: 12 },
  /** 3/10.2: the sectors at which the two sequences begin. */
  anchor: { main: 20, reserve: 28 },
  /** 3/10.3: the sector at which the sequence continues. */
  volumePointer: { next: 24 },
  /** 3/10.5 */
  partition: { number: 22, start: 188 },
  /** 3/10.6 */
  logicalVolume: { blockBytes: 212, fileSet: 248, mapBytes: 264, mapCount: 268, maps: 440 },
  /** 4/14.1: the ICB of the root. */
  fileSet: { root: 400 },
  /** 4/14.4. `name` is right only for a descriptor without implementation use. */
  fileIdentifier: { flags: 18, nameLength: 19, icb: 20, useLength: 36, name: 38 },
  /** 4/14.5 */
  allocationExtent: { areaBytes: 20, area: 24 },
  /** 4/14.9. `area`: behind 176 bytes of fields and the four bytes of attributes that write-udf.ts adds. */
  fileEntry: { strategy: 20, type: 27, flags: 34, gid: 40, size: 56, attributeBytes: 168, area: 176 + 4 },
} as const

/** Bytes of a short allocation descriptor (4/14.14.1): a length, and a block at 4. */
export const shortDescriptorBytes = 8

/** The file characteristics of a file identifier (4/14.4.3). */
export const identifierFlags = { hidden: 1, folder: 2, deleted: 4, parent: 8 }

export interface IdentifierShape {
  readonly name: string
  readonly block: number
  readonly partition?: number
  /** A sum of `identifierFlags`; default 0. */
  readonly flags?: number
  /** Write the name in 16 bits a character even where 8 would do. */
  readonly wide?: boolean
  /** Implementation use, which readers skip. */
  readonly use?: Buffer
}

/** A file identifier descriptor (ECMA-167 4/14.4). */
export function identifier(shape: IdentifierShape): Buffer {
  const { name, block, partition = 0, flags = 0, wide = false, use = Buffer.alloc(0) } = shape
  const text = name === '' ? Buffer.alloc(0) : compressed(name, wide)
  const bytes = Buffer.alloc(Math.ceil((38 + use.length + text.length) / 4) * 4)
  bytes.writeUInt16LE(tags.fileIdentifier, 0)
  bytes.writeUInt16LE(1, 16) // file version
  bytes[18] = flags
  bytes[19] = text.length
  bytes.writeUInt32LE(2048, 20) // length in the ICB; readers look only whether it is 0
  bytes.writeUInt32LE(block >>> 0, 24)
  bytes.writeUInt16LE(partition, 28)
  bytes.writeUInt16LE(use.length, 36)
  use.copy(bytes, 38)
  text.copy(bytes, 38 + use.length)
  return seal(bytes, 0, block >>> 0)
}

/** OSTA CS0: 8 bits a character where they suffice, else 16. */
export function compressed(text: string, wide = false): Buffer {
  return wide || /[^\0-\xff]/.test(text)
    ? Buffer.concat([Buffer.from([16]), Buffer.from(text, 'utf16le').swap16()])
    : Buffer.concat([Buffer.from([8]), Buffer.from(text, 'latin1')])
}

/** A field of fixed length whose last byte says how much of it is used (ECMA-167 1/7.2.12). */
export function dstring(text: string, length: number): Buffer {
  const field = Buffer.alloc(length)
  const used = compressed(text).copy(field, 0, 0)
  field[length - 1] = used
  return field
}

/** Each component: its type, the length of its name, two bytes of version, the name (ECMA-167 4/14.16.1). */
export function pathComponents(target: string): Buffer {
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

/** The time 2024-04-14 14:00 in the time zone UTC+2. */
export function timestamp(): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt16LE(0x1000 | 120, 0) // local time, 120 minutes east
  bytes.writeInt16LE(2024, 2)
  Buffer.from([4, 14, 14, 0, 0, 0]).copy(bytes, 4)
  return bytes
}

/** An entity identifier (ECMA-167 1/7.4). The suffix begins with the revision of UDF (UDF 2.1.5.3). */
export function regid(text: string, suffix = 0): Buffer {
  const bytes = Buffer.alloc(32)
  bytes.write(text, 1, 'latin1')
  bytes.writeUInt16LE(suffix, 24)
  return bytes
}

/** A `charspec` (ECMA-167 1/7.2.1): type 0, and its name in 63 bytes. */
export const charset = Buffer.concat([
  Buffer.from([0]),
  Buffer.from('OSTA Compressed Unicode'),
  Buffer.alloc(40),
])

/** An empty descriptor with its tag identifier; `seal` does the rest of the tag. */
export function tagged(id: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  bytes.writeUInt16LE(id, 0)
  return bytes
}

/**
 * Corrects the tag at `at`: version, CRC, checksum, and its location when one is given. `bytes` must end
 * with the descriptor unless the tag has a CRC length already.
 */
export function seal(bytes: Buffer, at = 0, location?: number): Buffer {
  const { tag } = fieldAt
  bytes.writeUInt16LE(2, at + tag.version)
  const length = bytes.readUInt16LE(at + tag.crcLength) || Math.min(0xffff, bytes.length - at - 16)
  bytes.writeUInt16LE(crcOf(bytes.subarray(at + 16, at + 16 + length)), at + tag.crc)
  bytes.writeUInt16LE(length, at + tag.crcLength)
  if (location !== undefined) bytes.writeUInt32LE(location, at + tag.location)
  bytes[at + tag.checksum] = 0
  bytes[at + tag.checksum] = bytes.subarray(at, at + 16).reduce((sum, byte) => sum + byte, 0) & 0xff
  return bytes
}

/** The positions of descriptors with a valid tag, of all kinds or of one. */
export function tagsIn(bytes: Buffer, id?: number): number[] {
  const { tag } = fieldAt
  const found: number[] = []
  // Descriptors begin at blocks, and those of names in a folder at multiples of four bytes.
  for (let at = 0; at + 16 <= bytes.length; at += 4) {
    // The byte at 5 is reserved.
    if (bytes.readUInt16LE(at + tag.version) !== 2 || bytes[at + 5] !== 0) continue
    if (id !== undefined && bytes.readUInt16LE(at) !== id) continue
    const said = bytes[at + tag.checksum] ?? 0
    const sum = bytes.subarray(at, at + 16).reduce((all, byte) => all + byte, 0) - said
    const length = bytes.readUInt16LE(at + tag.crcLength)
    if ((sum & 0xff) !== said || length === 0) continue
    if (crcOf(bytes.subarray(at + 16, at + 16 + length)) === bytes.readUInt16LE(at + tag.crc)) found.push(at)
  }
  return found
}

/** The CRC of ECMA-167 1/7.2.6, computed bit by bit. */
function crcOf(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes)
    for (let bit = 7; bit >= 0; bit--) {
      const out = (crc >> 15) ^ ((byte >> bit) & 1)
      crc = ((crc << 1) & 0xffff) ^ (out ? 0x1021 : 0)
    }
  return crc
}
