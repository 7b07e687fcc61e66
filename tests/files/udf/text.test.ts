import { describe, expect, test } from 'vitest'
import { decodeCs0, decodePath, decodeTime } from '../../../server/files/udf/text.ts'
import { pathComponents } from '../../support/iso/udf-fields.ts'

describe('a name', () => {
  test.each([
    ['of 8 bits a character', [8, 0x61, 0xff], 'aÿ'],
    ['of 16 bits a character', [16, 0x04, 0x36, 0, 0x61], 'жa'],
    ['of 8 bits that was deleted', [254, 0x61, 0xff], 'aÿ'],
    ['of 16 bits that was deleted', [255, 0x04, 0x36], 'ж'],
    ['that is empty', [], ''],
    ['of no characters', [8], ''],
    ['of no wide characters', [16], ''],
    ['of an unknown kind, with an odd number of bytes', [9, 0, 0x61], undefined],
    ['of an unknown kind, with an even number of bytes', [9, 0x61], undefined],
    ['that ends in half a character', [16, 0, 0x61, 0], undefined],
    ['that was deleted and ends in half a character', [255, 0x61], undefined],
  ])('%s', (_, bytes, expected) => {
    expect(decodeCs0(Buffer.from(bytes))).toBe(expected)
  })

  test('leaves its bytes as they were', () => {
    const bytes = Buffer.from([16, 0x04, 0x36])
    decodeCs0(bytes)
    expect([...bytes]).toEqual([16, 0x04, 0x36])
  })
})

describe('the path of a symlink', () => {
  const root = (type: number) => Buffer.from([type, 0, 0, 0])
  const [a, b] = [pathComponents('a'), pathComponents('b')]
  test.each([
    ['is relative', pathComponents('../a/./ж'), '../a/./ж'],
    ['is that of the root of the file system', root(2), '/'],
    ['begins at the root of the file system', Buffer.concat([root(2), a, b]), '/a/b'],
    ['begins at an agreed root', Buffer.concat([root(1), a, b]), '/a/b'],
    ['begins again at a root', Buffer.concat([a, root(2), b]), '/b'],
    ['is empty', Buffer.alloc(0), ''],
    ['has a component of type 0', Buffer.from([0, 0, 0, 0]), undefined],
    ['has a component of type 6', Buffer.from([6, 2, 0, 0, 8, 0x61]), undefined],
    ['ends in half a component', pathComponents('a/bc').subarray(0, -1), undefined],
    ['ends with a parent whose name is cut', Buffer.from([3, 2, 0, 0, 8]), undefined],
    ['ends with a root whose name is cut', Buffer.from([2, 2, 0, 0, 8]), undefined],
    ['ends behind the type of a component', Buffer.from([...a, 3]), undefined],
    ['has a name of an unknown kind', Buffer.from([5, 2, 0, 0, 9, 0x61]), undefined],
  ])('%s', (_, bytes, expected) => {
    expect(decodePath(bytes)).toBe(expected)
  })
})

describe('a time', () => {
  /** Local time, of type 1. */
  const local = 0x1000
  const zoneOf = (minutes: number) => local | (minutes & 0xfff)
  const noon = [4, 14, 12, 34, 56, 0]
  test.each<[string, [word: number, year: number, rest: number[]], string]>([
    ['in Greenwich', [zoneOf(0), 2024, noon], '2024-04-14T12:34:56Z'],
    ['two hours east', [zoneOf(120), 2024, noon], '2024-04-14T10:34:56Z'],
    ['half an hour west', [zoneOf(-30), 2024, noon], '2024-04-14T13:04:56Z'],
    ['a whole day east, the most there is', [zoneOf(1440), 2024, noon], '2024-04-13T12:34:56Z'],
    ['a whole day west, the most there is', [zoneOf(-1440), 2024, noon], '2024-04-15T12:34:56Z'],
    ['further east than there is', [zoneOf(1441), 2024, noon], '2024-04-14T12:34:56Z'],
    ['further west than there is', [zoneOf(-1441), 2024, noon], '2024-04-14T12:34:56Z'],
    ['without a zone', [zoneOf(-2047), 2024, noon], '2024-04-14T12:34:56Z'],
    ['that is UTC, whatever its zone', [120, 2024, noon], '2024-04-14T12:34:56Z'],
    ['of a type that is not known', [0x2000 | 120, 2024, noon], '2024-04-14T12:34:56Z'],
    ['with hundredths', [local, 2024, [4, 14, 12, 34, 56, 78]], '2024-04-14T12:34:56.780Z'],
    ['with too many hundredths', [local, 2024, [4, 14, 12, 34, 56, 255]], '2024-04-14T12:34:56.990Z'],
    ['in January', [local, 1999, [1, 1, 0, 0, 0, 0]], '1999-01-01T00:00:00Z'],
    ['in the year 100', [local, 100, [1, 1, 0, 0, 0, 0]], '0100-01-01T00:00:00Z'],
    ['in the last year', [local, 32_767, [12, 31, 0, 0, 0, 0]], '+032767-12-31T00:00:00Z'],
    ['that is not set: month 0', [zoneOf(120), 2024, [0, 14, 12, 34, 56, 0]], '1970-01-01T00:00:00Z'],
    ['that is not set: year 0', [zoneOf(120), 0, noon], '1970-01-01T00:00:00Z'],
    ['in the year 99, which no file has', [local, 99, noon], '1970-01-01T00:00:00Z'],
    ['before the first year', [local, -1, noon], '1970-01-01T00:00:00Z'],
  ])('%s', (_, [word, year, rest], expected) => {
    const bytes = Buffer.alloc(14, 0xee)
    bytes.writeUInt16LE(word, 1)
    bytes.writeInt16LE(year, 3)
    Buffer.from(rest).copy(bytes, 5)
    expect(decodeTime(bytes, 1)).toBe(Date.parse(expected))
  })
})
