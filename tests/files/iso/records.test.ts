import { describe, expect, test } from 'vitest'
import {
  type DirectoryRecord,
  directoryRecords,
  jolietName,
  plainName,
} from '../../../server/files/iso/directory.ts'
import { imageOf } from '../../support/iso/walk-image.ts'
import { record } from '../../support/iso/write-iso.ts'

const image = imageOf(Buffer.alloc(0))
/** Where the directory lies in the image. */
const offset = 20 * 2048
const read = (bytes: Buffer, blockBytes = 2048): DirectoryRecord[] => [
  ...directoryRecords(image, bytes, offset, blockBytes),
]
const place = { block: 30, length: 5000 }
const file = (name: string, fields: readonly Buffer[] = []) =>
  record({ name: Buffer.from(name), place, isFolder: false, fields })
/** A record with other bytes at these positions. */
function edited(bytes: Buffer, changes: Readonly<Record<number, number>>): Buffer {
  const copy = Buffer.from(bytes)
  for (const [at, value] of Object.entries(changes)) copy[Number(at)] = value
  return copy
}
/** A record of this length, with a name of one byte and system use bytes that fill it. */
const ofLength = (length: number) => file('F', [Buffer.alloc(length - 34)])

describe('a directory record', () => {
  test('has its place, time and fields', () => {
    const use = Buffer.from('abcd')
    const [even, odd, ...others] = read(Buffer.concat([file('AB', [use]), file('ABC', [use])]))
    expect(others).toEqual([])
    expect(even).toEqual({
      at: offset,
      extent: { offset: 30 * 2048, length: 5000 },
      modifiedMs: Date.UTC(2024, 3, 14, 12),
      isFolder: false,
      continues: false,
      isAssociated: false,
      isInterleaved: false,
      name: Buffer.from('AB'),
      systemUse: use,
      // 33 bytes, the name, a byte of padding.
      systemUseAt: offset + 36,
    })
    expect(odd).toMatchObject({
      at: offset + 40,
      name: Buffer.from('ABC'),
      systemUse: use,
      systemUseAt: offset + 76,
    })
  })

  test.each([
    ['a folder', { 25: 0x02 }, { isFolder: true }],
    ['an associated file', { 25: 0x04 }, { isAssociated: true }],
    ['a file that continues', { 25: 0x80 }, { continues: true }],
    ['a hidden file with permissions', { 25: 0x19 }, {}],
    ['a file in units', { 26: 1 }, { isInterleaved: true }],
    ['a file with gaps', { 27: 1 }, { isInterleaved: true }],
  ])('of %s', (_, changes, expected) => {
    const none = { isFolder: false, isAssociated: false, continues: false, isInterleaved: false }
    expect(read(edited(file('AB'), changes))).toMatchObject([{ ...none, ...expected }])
  })

  test('may have an extended attribute record of some blocks in front of the bytes', () => {
    const bytes = edited(file('AB'), { 1: 3 })
    expect(read(bytes, 512)).toMatchObject([{ extent: { offset: 33 * 512, length: 5000 } }])
  })

  test.each([
    ['no name', 0, 'found a length of 0'],
    ['a name longer than itself', 4, 'found a length of 4'],
  ])('with %s is refused', (_, length, says) => {
    const bytes = Buffer.concat([file('A'), edited(file('ABC'), { 32: length })])
    expect(() => read(bytes)).toThrow(
      `x.iso, byte ${offset + 34 + 32}: expected a name of 1 to 3 bytes, ${says}`,
    )
  })

  test('is refused when it is shorter than any record', () => {
    const bytes = Buffer.concat([file('A'), edited(file('A'), { 0: 33 })])
    const message = `x.iso, byte ${offset + 34}: expected a directory record of 34 to 34 bytes, found a length of 33`
    expect(() => read(bytes)).toThrow(message)
  })
})

describe('a directory', () => {
  test('has its next record in the next sector when there is no room', () => {
    const full = [ofLength(250), ...Array.from({ length: 7 }, () => ofLength(250))]
    const first = Buffer.concat([...full, Buffer.alloc(48)])
    const found = read(Buffer.concat([first, file('A'), Buffer.alloc(2048 - 34)]))
    expect(found.map(({ at }) => at - offset)).toEqual([0, 250, 500, 750, 1000, 1250, 1500, 1750, 2048])
  })

  test('may have a record that ends at the edge of a sector, and one at its own end', () => {
    const full = Buffer.concat([...Array.from({ length: 8 }, () => ofLength(250)), ofLength(48)])
    const found = read(Buffer.concat([full, file('A')]))
    expect(found.map(({ at }) => at - offset).slice(-2)).toEqual([2000, 2048])
  })

  test.each([
    ['crosses the edge of a sector', 2048, 48],
    ['is longer than the rest of the directory', 0, 40],
  ])('is refused when a record %s', (_, more, room) => {
    const full = Array.from({ length: 8 }, () => ofLength(250))
    const bytes = Buffer.concat([...full, ofLength(50)]).subarray(0, 2000 + room)
    const says = `expected a directory record of 34 to ${room} bytes, found a length of 50`
    expect(() => read(Buffer.concat([bytes, Buffer.alloc(more)]))).toThrow(
      `x.iso, byte ${offset + 2000}: ${says}`,
    )
  })
})

describe('names', () => {
  test.each([
    ['README.TXT;1', 'readme.txt'],
    ['README.TXT;32767', 'readme.txt'],
    ['README.TXT;', 'readme.txt'],
    ['VMLINUZ.;1', 'vmlinuz'],
    ['A;1.TXT;1', 'a;1.txt'],
    ['A.B.C', 'a.b.c'],
    ['\xc4', '\xe4'],
  ])('plain %s is %s', (name, expected) => {
    expect(plainName(Buffer.from(name, 'latin1'))).toBe(expected)
  })

  test.each([
    ['Readme.txt', 'Readme.txt'],
    ['Readme.txt;1', 'Readme.txt'],
    ['Readme.txt;32767', 'Readme.txt'],
    ['a;1.txt;2', 'a;1.txt'],
    ['a;b', 'a;b'],
    ['ends.', 'ends.'],
    ['é漢', 'é漢'],
  ])('Joliet %s is %s', (name, expected) => {
    const bytes = Buffer.from(name, 'utf16le').swap16()
    expect(jolietName(bytes)).toBe(expected)
    // Half a character at the end is left out, and the record keeps its bytes.
    expect(jolietName(Buffer.concat([bytes, Buffer.from([0])]))).toBe(expected)
    expect(bytes).toEqual(Buffer.from(name, 'utf16le').swap16())
  })
})
