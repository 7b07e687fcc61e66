/**
 * Decodes a name in OSTA compressed Unicode (UDF 2.1.1): one byte with the number of bits of a character,
 * then the characters. 254 and 255 mark deleted names of 8 and 16 bits.
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

/**
 * Decodes the target of a symlink (ECMA-167 4/14.16.1): components of a type, a length, a version and a name.
 *
 * @returns The path, which begins with `/` when it leads out of the image; undefined when a component is cut
 *   or unknown.
 */
export function decodePath(bytes: Buffer): string | undefined {
  const parts: string[] = []
  let leadsOut = false
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + (bytes[at + 1] ?? 0)
    const type = bytes[at] ?? 0
    const name = end <= bytes.length ? decodeCs0(bytes.subarray(at + 4, end)) : undefined
    const part = name === undefined ? undefined : pathPart(type, name)
    if (part === undefined) return undefined
    if (isRoot(type)) {
      leadsOut = true
      parts.length = 0
    } else parts.push(part)
    at = end
  }
  return `${leadsOut ? '/' : ''}${parts.join('/')}`
}

/**
 * 1 is a root that reader and writer agree on, 2 the root of the link's file system. Linux takes both for
 * `/`.
 */
function isRoot(type: number): boolean {
  return type === 1 || type === 2
}

/** The text of a component; '' for a root, undefined for an unknown type. */
function pathPart(type: number, name: string): string | undefined {
  if (isRoot(type)) return ''
  if (type === 3) return '..'
  if (type === 4) return '.'
  return type === 5 ? name : undefined
}

/** The type of a timestamp that has a zone. */
const localTime = 1

/**
 * Decodes a timestamp of twelve bytes (ECMA-167 1/7.3) to milliseconds; 0 when unset. The low twelve bits of
 * the first field are minutes east of Greenwich, or -2047 for a time without a zone. They count only in a local
 * time, whose upper four bits are 1; Linux and 7-Zip take any other time as UTC.
 */
export function decodeTime(bytes: Buffer, at: number): number {
  const year = bytes.readInt16LE(at + 2)
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0, centis = 0] = bytes.subarray(at + 4, at + 10)
  // `Date.UTC` takes the years before 100 for years of the twentieth century.
  if (month === 0 || year < 100) return 0
  const word = bytes.readUInt16LE(at)
  const zone = word >> 12 === localTime ? (word << 20) >> 20 : 0
  const ms = Date.UTC(year, month - 1, day, hour, minute, second, Math.min(centis, 99) * 10)
  return ms - (zone < -1440 || zone > 1440 ? 0 : zone) * 60_000
}
