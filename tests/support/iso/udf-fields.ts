/** The fields of UDF descriptors, written after ECMA-167. The reader shares none of this code. */

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

/** OSTA CS0: 8 bits a character where they suffice, else 16. */
export function compressed(text: string, wide = false): Buffer {
  return wide || /[^\0-\xff]/.test(text)
    ? Buffer.concat([Buffer.from([16]), Buffer.from(text, 'utf16le').swap16()])
    : Buffer.concat([Buffer.from([8]), Buffer.from(text, 'latin1')])
}

export function dstring(text: string, length: number): Buffer {
  const field = Buffer.alloc(length)
  const used = compressed(text).copy(field, 0, 0)
  field[length - 1] = used
  return field
}

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
  bytes.writeUInt16LE(0x1000 | 120, 0)
  bytes.writeInt16LE(2024, 2)
  Buffer.from([4, 14, 14, 0, 0, 0]).copy(bytes, 4)
  return bytes
}

export function regid(text: string, suffix = 0): Buffer {
  const bytes = Buffer.alloc(32)
  bytes.write(text, 1, 'latin1')
  bytes.writeUInt16LE(suffix, 24)
  return bytes
}

export const charset = Buffer.concat([
  Buffer.from([0]),
  Buffer.from('OSTA Compressed Unicode'),
  Buffer.alloc(40),
])

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
  bytes.writeUInt16LE(2, at + 2)
  const length = bytes.readUInt16LE(at + 10) || Math.min(0xffff, bytes.length - at - 16)
  bytes.writeUInt16LE(crcOf(bytes.subarray(at + 16, at + 16 + length)), at + 8)
  bytes.writeUInt16LE(length, at + 10)
  if (location !== undefined) bytes.writeUInt32LE(location, at + 12)
  bytes[at + 4] = 0
  bytes[at + 4] = bytes.subarray(at, at + 16).reduce((sum, byte) => sum + byte, 0) & 0xff
  return bytes
}

/** The positions of descriptors with a valid tag, of all kinds or of one. */
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
