/**
 * A name as OSTA compresses Unicode (UDF 2.1.1): a byte that tells how many bits a character has, then the
 * characters. 254 and 255 mark names that were deleted, with the widths of 8 and 16.
 *
 * @returns Undefined when the first byte is none of these, or a character is cut.
 */
export function decodeCs0(bytes: Buffer): string | undefined {
  const [kind] = bytes
  if (kind === undefined) return ''
  if (kind === 8 || kind === 254) return bytes.toString('latin1', 1)
  if ((kind !== 16 && kind !== 255) || bytes.length % 2 === 0) return undefined
  return Buffer.from(bytes.subarray(1)).swap16().toString('utf16le')
}

/** A field of fixed length that says in its last byte how much of it is used (ECMA-167 1/7.2.12). */
export function decodeDstring(field: Buffer): string {
  const used = Math.min(field.at(-1) ?? 0, field.length - 1)
  return decodeCs0(field.subarray(0, used)) ?? ''
}

/**
 * Where a symlink points (ECMA-167 4/14.16.1): components of a type, a length, a version and a name.
 *
 * @returns The path, with `/` in front when it leads out of the image; undefined when a component is cut or unknown.
 */
export function decodePath(bytes: Buffer): string | undefined {
  const parts: string[] = []
  let leadsOut = false
  for (let at = 0; at < bytes.length; ) {
    if (at + 4 > bytes.length) return undefined
    const type = bytes[at] ?? 0
    const end = at + 4 + (bytes[at + 1] ?? 0)
    const name = end <= bytes.length ? decodeCs0(bytes.subarray(at + 4, end)) : undefined
    if (name === undefined) return undefined
    // 1 is a root that reader and writer agree on, 2 the root of the file system that the link is in: `/` for Linux.
    if (type === 1 || type === 2) {
      leadsOut = true
      parts.length = 0
    } else if (type === 3) parts.push('..')
    else if (type === 4) parts.push('.')
    else if (type === 5) parts.push(name)
    else return undefined
    at = end
  }
  return `${leadsOut ? '/' : ''}${parts.join('/')}`
}

/**
 * A timestamp of twelve bytes (ECMA-167 1/7.3) in milliseconds; 0 when unset. The low twelve bits of the first field
 * are minutes east of Greenwich, -2047 for a time of no zone.
 */
export function decodeTime(bytes: Buffer, at: number): number {
  const year = bytes.readInt16LE(at + 2)
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0, centis = 0] = bytes.subarray(at + 4, at + 10)
  if (month === 0 || year < 1) return 0
  const zone = ((bytes.readUInt16LE(at) & 0xfff) << 20) >> 20
  const ms = Date.UTC(year, month - 1, day, hour, minute, second, Math.min(centis, 99) * 10)
  return Number.isNaN(ms) ? 0 : ms - (zone < -1440 || zone > 1440 ? 0 : zone) * 60_000
}
