import { describe, expect, test } from 'vitest'
import { crc16, expectTag, tagId, tagTrouble } from '../../../server/files/udf/tag.ts'
import { fieldAt, seal } from '../../support/iso/write-udf.ts'

const { tag: field } = fieldAt

/** A descriptor with the tag 261 in block 7: 16 bytes of tag, and as many of content. */
function descriptor(edit: (bytes: Buffer) => void = () => {}, length = 32): Buffer {
  const bytes = Buffer.alloc(length, 0xa5).fill(0, 0, 16)
  bytes.writeUInt16LE(261, 0)
  edit(bytes)
  return seal(bytes, 0, 7)
}
/** Corrects the checksum alone, which is the sum of all bytes of the tag but its own. */
function sum(bytes: Buffer): Buffer {
  bytes[field.checksum] = 0
  bytes[field.checksum] = bytes.subarray(0, 16).reduce((all, byte) => all + byte, 0) & 0xff
  return bytes
}
/** The same descriptor with another value in two bytes of its tag. */
function withWord(at: number, value: number, bytes = descriptor()): Buffer {
  bytes.writeUInt16LE(value, at)
  return sum(bytes)
}

test('the CRC is that of ECMA-167', () => {
  // The example of ECMA-167 1/7.2.6.
  expect(crc16(Buffer.from([0x70, 0x6a, 0x77]))).toBe(0x3299)
  expect(crc16(Buffer.alloc(0))).toBe(0)
})

test('the identifier is the first field, also of a tag alone', () => {
  expect(tagId(descriptor())).toBe(261)
  expect(tagId(descriptor(undefined, 16))).toBe(261)
})

describe('a tag', () => {
  const crc = crc16(Buffer.alloc(16, 0xa5))
  test.each([
    ['is valid', descriptor(), 7, undefined],
    ['is valid anywhere when no place is asked for', descriptor(), undefined, undefined],
    ['is valid without content', descriptor(undefined, 16), 7, undefined],
    ['of version 3 is valid', withWord(field.version, 3), 7, undefined],
    ['of version 1 is not', withWord(field.version, 1), 7, 'version 1'],
    ['of version 4 is not', withWord(field.version, 4), 7, 'version 4'],
    ['of another block is not', descriptor(), 6, 'says it lies in block 7, not in 6'],
    ['of another block is not, in block 0 either', descriptor(), 0, 'says it lies in block 7, not in 0'],
    ['has a CRC', withWord(field.crc, 1), 7, `has the CRC 1, expected ${crc} for its 16 bytes`],
    // As Linux does.
    ['whose CRC covers more than there is has none', withWord(field.crcLength, 17), 7, undefined],
    ['whose CRC covers less has one', withWord(field.crcLength, 15), 7, 'for its 15 bytes'],
    ['whose CRC covers nothing has the CRC 0', withWord(field.crcLength, 0), 7, 'expected 0 for its 0 bytes'],
  ])('%s', (_, bytes, location, expected) => {
    const trouble = tagTrouble(bytes, location)
    if (expected === undefined) expect(trouble).toBeUndefined()
    else expect(trouble).toContain(expected)
  })

  test.each(Array.from({ length: 16 }, (_, at) => at))('has a checksum over its byte %d', (at) => {
    const bytes = descriptor()
    const said = bytes[field.checksum] ?? 0
    bytes[at] = (bytes[at] ?? 0) ^ 1
    expect(tagTrouble(bytes)).toContain(`has the checksum ${at === field.checksum ? said ^ 1 : said}`)
  })
})

test('another descriptor is refused, and so is a damaged one, with its place', () => {
  const image = { name: 'x.iso', size: 0, readAt: () => expect.fail('nothing is read') }
  const expecting = (bytes: Buffer, ids: readonly number[], location?: number) => () =>
    expectTag(image, { bytes, at: 99 }, { ids, what: 'a thing', ...(location && { location }) })
  expect(expecting(descriptor(), [266, 261], 7)).not.toThrow()
  expect(expecting(descriptor(), [266, 258])).toThrow(
    'x.iso, byte 99: expected a thing (tag 266 or 258), found the tag 261',
  )
  expect(expecting(descriptor(), [261], 8)).toThrow('x.iso, byte 99: a thing says it lies in block 7')
})
