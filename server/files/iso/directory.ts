import { damaged, type Extent, type Image, sectorBytes } from './image.ts'
import { recordTime } from './time.ts'

/** A directory record, as an image holds it (ECMA-119 9.1). */
export interface DirectoryRecord {
  /** The position of the record in the image, for messages. */
  readonly at: number
  /** The data of the file, after its extended attribute record. */
  readonly extent: Extent
  readonly modifiedMs: number
  readonly isFolder: boolean
  /** This is not the last piece of its file: the next record continues it. */
  readonly continues: boolean
  /** A Mac resource fork or similar, and not the file itself. */
  readonly isAssociated: boolean
  readonly isInterleaved: boolean
  /** The name as written. One byte: 0 for the folder itself, 1 for its parent. */
  readonly name: Buffer
  /** The bytes after the name: fields of the System Use Sharing Protocol. */
  readonly systemUse: Buffer
  /** The position of those fields in the image, for messages. */
  readonly systemUseAt: number
}

/** 33 fixed bytes and a name of one byte. */
export const smallestRecord = 34
/** Positions of fields in a directory record (ECMA-119 9.1). The length of the record is its first byte. */
export const recordField = {
  attributeBlocks: 1,
  block: 2,
  dataBytes: 10,
  time: 18,
  flags: 25,
  interleaveUnit: 26,
  interleaveGap: 27,
  nameLength: 32,
  name: 33,
} as const
/** Bits of the flags (ECMA-119 9.1.6). */
export const recordFlags = { folder: 0x02, associated: 0x04, continues: 0x80 } as const

/** Decodes the records of a directory. `offset` is the position of its bytes in the image. */
export function* directoryRecords(
  image: Image,
  bytes: Buffer,
  offset: number,
  blockBytes: number,
): Generator<DirectoryRecord> {
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] ?? 0
    if (length === 0) {
      // The next record did not fit into the rest of this sector.
      at = (Math.floor(at / sectorBytes) + 1) * sectorBytes
      continue
    }
    const room = Math.min(bytes.length, (Math.floor(at / sectorBytes) + 1) * sectorBytes) - at
    if (length < smallestRecord || length > room)
      throw damaged(
        image,
        offset + at,
        `expected a directory record of ${smallestRecord} to ${room} bytes, found a length of ${length}`,
      )
    yield readRecord(image, bytes.subarray(at, at + length), offset + at, blockBytes)
    at += length
  }
}

function readRecord(image: Image, record: Buffer, at: number, blockBytes: number): DirectoryRecord {
  const nameLength = record[recordField.nameLength] ?? 0
  const nameEnd = recordField.name + nameLength
  if (nameLength === 0 || nameEnd > record.length)
    throw damaged(
      image,
      at + recordField.nameLength,
      `expected a name of 1 to ${record.length - recordField.name} bytes, found a length of ${nameLength}`,
    )
  const flags = record[recordField.flags] ?? 0
  // A name of even length is followed by one byte of padding.
  const useStart = nameEnd + (nameLength % 2 === 0 ? 1 : 0)
  const block = record.readUInt32LE(recordField.block) + (record[recordField.attributeBlocks] ?? 0)
  return {
    at,
    extent: { offset: block * blockBytes, length: record.readUInt32LE(recordField.dataBytes) },
    modifiedMs: recordTime(record, recordField.time),
    isFolder: (flags & recordFlags.folder) !== 0,
    continues: (flags & recordFlags.continues) !== 0,
    isAssociated: (flags & recordFlags.associated) !== 0,
    isInterleaved: record[recordField.interleaveUnit] !== 0 || record[recordField.interleaveGap] !== 0,
    name: record.subarray(recordField.name, nameEnd),
    systemUse: record.subarray(useStart),
    systemUseAt: at + useStart,
  }
}

/**
 * Decodes a name without Rock Ridge or Joliet as Linux does by default (`map=normal`): `README.TXT;1` is
 * `readme.txt`, and `VMLINUZ.;1` is `vmlinuz`.
 */
export function plainName(name: Buffer): string {
  return name.toString('latin1').replace(/;\d*$/, '').replace(/\.$/, '').toLowerCase()
}

/** Decodes a Joliet name: UCS-2, high byte first. Some writers append the version (`;1`) here too. */
export function jolietName(name: Buffer): string {
  const even = Buffer.from(name.subarray(0, name.length - (name.length % 2)))
  return even.swap16().toString('utf16le').replace(/;\d*$/, '')
}
