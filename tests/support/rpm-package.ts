/**
 * The smallest package that librpm, and so createrepo_c, accepts: lead, empty signature, a header with the
 * tags that every package has, and a payload that is never unpacked (rpm.org, "RPM V4 package format").
 */
export function makeRpm(name: string, payload: string | Uint8Array = `payload of ${name}\n`): Buffer {
  const lead = Buffer.alloc(96)
  // Magic, version 3.0, type 0 (binary), architecture 1. At 10 the name in at most 65 bytes, at 76 the system
  // (Linux), at 78 the kind of signature (a header).
  lead.set([0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0, 0, 1])
  lead.write(`${name}-1-1`.slice(0, 65), 10, 'latin1')
  lead.writeUInt16BE(1, 76)
  lead.writeUInt16BE(5, 78)
  const header = headerOf([
    [tag.name, name],
    [tag.version, '1'],
    [tag.release, '1'],
    [tag.summary, [`summary of ${name}`]],
    [tag.description, [`description of ${name}`]],
    [tag.buildTime, 1_713_000_000],
    [tag.size, payload.length],
    [tag.license, 'MIT'],
    [tag.group, ['Unspecified']],
    [tag.os, 'linux'],
    [tag.arch, 'noarch'],
    [tag.sourceRpm, `${name}-1-1.src.rpm`],
    [tag.payloadFormat, 'cpio'],
    [tag.payloadCompressor, 'gzip'],
    [tag.payloadFlags, '9'],
  ])
  const body = Buffer.from(payload)
  // The signature has only the size tag. It is padded to a multiple of 8 bytes.
  const signature = headerOf([[sizeInSignature, header.length + body.length]])
  const padding = Buffer.alloc((8 - (signature.length % 8)) % 8)
  return Buffer.concat([lead, signature, padding, header, body])
}

/** Tags of librpm's `rpmtag.h`. */
const tag = {
  name: 1000,
  version: 1001,
  release: 1002,
  summary: 1004,
  description: 1005,
  buildTime: 1006,
  size: 1009,
  license: 1014,
  group: 1016,
  os: 1021,
  arch: 1022,
  sourceRpm: 1044,
  payloadFormat: 1124,
  payloadCompressor: 1125,
  payloadFlags: 1126,
} as const
/** The signature has tags of its own. */
const sizeInSignature = 1000

/** A string, several in one language each, or a 32-bit number. */
type TagValue = string | readonly string[] | number

/** INT32, STRING or I18NSTRING. */
function typeOf(value: TagValue): number {
  if (typeof value === 'number') return 4
  return typeof value === 'string' ? 6 : 9
}

function headerOf(tags: readonly (readonly [number, TagValue])[]): Buffer {
  const index: Buffer[] = []
  const store: Buffer[] = []
  let at = 0
  for (const [number, value] of tags) {
    const isNumber = typeof value === 'number'
    // Numbers lie at multiples of their length.
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
    // An entry of the index: tag, type, place in the store, number of values.
    index.push(bigEndian(number, typeOf(value), at + gap, Array.isArray(value) ? value.length : 1))
    at += gap + data.length
  }
  // The magic has version 1; four bytes are reserved.
  const magic = Buffer.from([0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0])
  return Buffer.concat([magic, bigEndian(tags.length, at), ...index, ...store])
}

function bigEndian(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length)
  numbers.forEach((number, n) => void bytes.writeUInt32BE(number, 4 * n))
  return bytes
}
