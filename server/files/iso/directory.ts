import { damaged, type Extent, type Image, sectorBytes } from './image.ts'

/** A directory record as it stands in an image (ECMA-119 9.1). */
export interface DirectoryRecord {
  /** Where the record itself stands, for messages. */
  readonly at: number
  /** The data it points at, past its extended attribute record. */
  readonly extent: Extent
  readonly modifiedMs: number
  readonly isFolder: boolean
  /** Not the last piece of its file: the next record goes on. */
  readonly continues: boolean
  /** Mac resource forks and the like: not what people mean by the file. */
  readonly isAssociated: boolean
  readonly isInterleaved: boolean
  /** Its name as written; one byte 0 or 1 for the folder itself and its parent. */
  readonly name: Buffer
  /** What follows the name: the System Use Sharing Protocol's fields. */
  readonly systemUse: Buffer
}

/** Smallest record: 33 fixed bytes and a name of one. */
const smallestRecord = 34

/** Takes a directory apart. `offset` is where its bytes stand in the image. */
export function* directoryRecords(
  image: Image,
  bytes: Buffer,
  offset: number,
  blockBytes: number,
): Generator<DirectoryRecord> {
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] ?? 0
    if (length === 0) {
      // The rest of a sector that had no room for the next record.
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
  const nameLength = record[32] ?? 0
  if (nameLength === 0 || 33 + nameLength > record.length)
    throw damaged(
      image,
      at + 32,
      `expected a name of 1 to ${record.length - 33} bytes, found a length of ${nameLength}`,
    )
  const flags = record[25] ?? 0
  const block = record.readUInt32LE(2) + (record[1] ?? 0)
  return {
    at,
    extent: { offset: block * blockBytes, length: record.readUInt32LE(10) },
    modifiedMs: recordTime(record, 18),
    isFolder: (flags & 0x02) !== 0,
    continues: (flags & 0x80) !== 0,
    isAssociated: (flags & 0x04) !== 0,
    isInterleaved: record[26] !== 0 || record[27] !== 0,
    name: record.subarray(33, 33 + nameLength),
    // A name of even length is followed by one byte of padding.
    systemUse: record.subarray(33 + nameLength + (nameLength % 2 === 0 ? 1 : 0)),
  }
}

/** Seven bytes: years since 1900, month, day, hour, minute, second, quarters of an hour east of Greenwich (ECMA-119 9.1.5). */
export function recordTime(bytes: Buffer, at: number): number {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = bytes.subarray(at, at + 6)
  if (month === 0 || bytes.length < at + 7) return 0
  const ms = Date.UTC(1900 + year, month - 1, day, hour, minute, second)
  return ms - bytes.readInt8(at + 6) * 15 * 60_000
}

/**
 * A name without Rock Ridge or Joliet: `README.TXT;1` is `readme.txt` and `VMLINUZ.;1` is `vmlinuz`, as Linux shows
 * it by default (`map=normal`).
 */
export function plainName(name: Buffer): string {
  return name.toString('latin1').replace(/;\d*$/, '').replace(/\.$/, '').toLowerCase()
}

/** A Joliet name: UCS-2, high byte first; some writers keep the version there as well. */
export function jolietName(name: Buffer): string {
  const even = Buffer.from(name.subarray(0, name.length - (name.length % 2)))
  return even.swap16().toString('utf16le').replace(/;\d*$/, '')
}
