import { describe, expect, test } from 'vitest'
import { fileIdentifiers } from '../../../server/files/udf/directory.ts'
import { imageOf } from '../../support/iso/walk-image.ts'
import { fieldAt, identifier, identifierFlags, seal } from '../../support/iso/write-udf.ts'

const { fileIdentifier: field, tag } = fieldAt
const image = imageOf(Buffer.alloc(0))
/** The names in these bytes of a folder, which lies at the byte 1000 of the image. */
const namesIn = (...parts: readonly Buffer[]) => [
  ...fileIdentifiers(image, Buffer.concat(parts), (position) => 1000 + position),
]
const changed = (bytes: Buffer, edit: (bytes: Buffer) => void): Buffer => {
  edit(bytes)
  return seal(bytes)
}
const one = identifier({ name: 'one', block: 5, partition: 1 })
const two = { at: 1000 + one.length, name: 'two', isFolder: false, address: { block: 6, partition: 0 } }

describe('the names of a folder', () => {
  test('have a place, a kind and the address of their file entry', () => {
    const folder = identifier({
      name: 'two',
      block: 6,
      flags: identifierFlags.folder,
      use: Buffer.from('USE'),
    })
    expect(namesIn(one, folder)).toEqual([
      { at: 1000, name: 'one', isFolder: false, address: { block: 5, partition: 1 } },
      { ...two, isFolder: true },
    ])
    expect(namesIn()).toEqual([])
  })

  test.each([
    ['deleted', identifierFlags.deleted],
    ['parent', identifierFlags.parent],
    ['deleted folder', identifierFlags.deleted + identifierFlags.folder],
  ])('are without those of the kind: %s', (_, flags) => {
    const left = identifier({ name: 'one', block: 5, flags })
    expect(namesIn(left, identifier({ name: 'two', block: 6 }))).toEqual([two])
  })

  test('are without those that are not used: their address has no length', () => {
    const unused = changed(Buffer.from(one), (bytes) => bytes.writeUInt32LE(0, field.icb))
    expect(namesIn(unused, identifier({ name: 'two', block: 6 }))).toEqual([two])
  })

  test('may end without the padding of the last one', () => {
    // A name of one character has two bytes: 40 in all. One of four has five: 43, and a byte of padding.
    const last = changed(identifier({ name: 'four', block: 6 }).subarray(0, 43), (bytes) =>
      bytes.writeUInt16LE(43 - 16, tag.crcLength),
    )
    expect(namesIn(one, last).map(({ name }) => name)).toEqual(['one', 'four'])
    const parent = identifier({ name: '', block: 6, flags: identifierFlags.parent }).subarray(0, 38)
    expect(
      namesIn(
        one,
        changed(parent, (bytes) => bytes.writeUInt16LE(0, tag.crcLength)),
      ),
    ).toHaveLength(1)
  })

  test('have a CRC over their own bytes at most', () => {
    const longer = Buffer.from(one)
    longer.writeUInt16LE(longer.length - 16 + 1, tag.crcLength)
    // With a CRC that would be wrong for the bytes of the next one, and which is ignored.
    seal(longer)
    expect(namesIn(longer, identifier({ name: 'two', block: 6 }))).toHaveLength(2)
  })
})

describe('a folder is refused', () => {
  const at = 1000 + one.length
  const length = (bytes: Buffer, edit: (bytes: Buffer) => void) => {
    // The CRC covers nothing, so that it is right for any length.
    edit(bytes)
    bytes.fill(0, tag.crc, tag.crcLength + 2)
    bytes[tag.checksum] = 0
    bytes[tag.checksum] = bytes.subarray(0, 16).reduce((sum, byte) => sum + byte, 0) & 0xff
    return bytes
  }
  const next = () => identifier({ name: 'x', block: 6 })
  test.each([
    [
      'that ends in the fixed part',
      next().subarray(0, 37),
      `byte ${at}: expected a file identifier descriptor of at least 38 bytes, found 37`,
    ],
    [
      'with another descriptor',
      changed(next(), (bytes) => bytes.writeUInt16LE(261, 0)),
      `byte ${at}: expected a file identifier descriptor (tag 257), found the tag 261`,
    ],
    [
      'with a name that is cut by a byte',
      length(next(), (bytes) => {
        bytes[field.nameLength] = 3
      }),
      `byte ${at}: a file identifier descriptor says it has 44 bytes, but the folder has 40`,
    ],
    [
      'with implementation use that is cut',
      length(next(), (bytes) => bytes.writeUInt16LE(1, field.useLength)),
      `byte ${at}: a file identifier descriptor says it has 44 bytes`,
    ],
    [
      'with a name of another kind',
      changed(next(), (bytes) => {
        bytes[field.name] = 9
      }),
      `byte ${at + 38}: expected a name of 8 or 16 bits a character, found the kind 9 and 2 bytes`,
    ],
  ])('%s', (_, bytes, says) => {
    expect(() => namesIn(one, bytes)).toThrow(`x.iso, ${says}`)
  })
})
