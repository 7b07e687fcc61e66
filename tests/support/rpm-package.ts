/**
 * The smallest package that librpm, and so createrepo_c, accepts: lead, empty signature, a header with the
 * tags that every package has, and a payload that is never unpacked (rpm.org, "RPM V4 package format").
 */
export function makeRpm(name: string, payload: string | Uint8Array = `payload of ${name}\n`): Buffer {
  const lead = Buffer.alloc(96)
  lead.set([0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0, 0, 1])
  lead.write(`${name}-1-1`.slice(0, 65), 10, 'latin1')
  lead.writeUInt16BE(1, 76)
  lead.writeUInt16BE(5, 78)
  const header = headerOf([
    [1000, name],
    [1001, '1'],
    [1002, '1'],
    [1004, [`summary of ${name}`]],
    [1005, [`description of ${name}`]],
    [1006, 1_713_000_000],
    [1009, payload.length],
    [1014, 'MIT'],
    [1016, ['Unspecified']],
    [1021, 'linux'],
    [1022, 'noarch'],
    [1044, `${name}-1-1.src.rpm`],
    [1124, 'cpio'],
    [1125, 'gzip'],
    [1126, '9'],
  ])
  const body = Buffer.from(payload)
  // The signature has only the size tag. It is padded to a multiple of 8 bytes.
  const signature = headerOf([[1000, header.length + body.length]])
  const padding = Buffer.alloc((8 - (signature.length % 8)) % 8)
  return Buffer.concat([lead, signature, padding, header, body])
}

/** A string, several in one language each, or a 32-bit number. */
type TagValue = string | readonly string[] | number

function typeOf(value: TagValue): number {
  if (typeof value === 'number') return 4
  return typeof value === 'string' ? 6 : 9
}

function headerOf(tags: readonly (readonly [number, TagValue])[]): Buffer {
  const index: Buffer[] = []
  const store: Buffer[] = []
  let at = 0
  for (const [tag, value] of tags) {
    const isNumber = typeof value === 'number'
    const gap = isNumber ? (4 - (at % 4)) % 4 : 0
    const data = isNumber
      ? bigEndian(value)
      : Buffer.from(
          [value]
            .flat()
            .map((each) => `${each}\0`)
            .join(''),
        )
    store.push(Buffer.alloc(gap), data)
    index.push(bigEndian(tag, typeOf(value), at + gap, Array.isArray(value) ? value.length : 1))
    at += gap + data.length
  }
  const magic = Buffer.from([0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0])
  return Buffer.concat([magic, bigEndian(tags.length, at), ...index, ...store])
}

function bigEndian(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length)
  numbers.forEach((number, n) => void bytes.writeUInt32BE(number, 4 * n))
  return bytes
}
