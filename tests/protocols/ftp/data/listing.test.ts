import { describe, expect, test } from 'vitest'
import { folderEntry } from '../../../../server/files/entry.ts'
import { bytesEntry } from '../../../../server/files/memory.ts'
import {
  factNames,
  factsLine,
  formatTime,
  listingPieces,
  listLine,
  matchesPattern,
  parseListArgument,
  parseTime,
} from '../../../../server/protocols/ftp/data/listing.ts'

const nowMs = Date.UTC(2024, 5, 15, 12)

describe('a line of LIST', () => {
  const file = (modifiedMs: number) => bytesEntry('.treeinfo', Buffer.alloc(1234), modifiedMs)
  test('shows the time of day, in UTC, of what is recent', () =>
    expect(listLine(file(Date.UTC(2024, 4, 2, 3, 4)), 'read', nowMs)).toBe(
      '-r--r--r--   1 ftp      ftp              1234 May 02 03:04 .treeinfo',
    ))
  test('shows the year of what is old', () =>
    expect(listLine(file(Date.UTC(2008, 4, 2)), 'read', nowMs)).toContain(' May 02  2008 .treeinfo'))
  test('shows the year of what is in the future', () =>
    expect(listLine(file(Date.UTC(2025, 4, 2)), 'read', nowMs)).toContain(' May 02  2025 .treeinfo'))
  test('shows folders', () =>
    expect(listLine(folderEntry('images', nowMs), 'read', nowMs)).toBe(
      'dr-xr-xr-x   2 ftp      ftp                 0 Jun 15 12:00 images',
    ))
  test('shows a symlink with its target, whatever it leads to', () => {
    const folder = { ...folderEntry('debian', nowMs), target: '.' }
    expect(listLine(folder, 'read', nowMs)).toBe(
      'lrwxrwxrwx   1 ftp      ftp                 1 Jun 15 12:00 debian -> .',
    )
    expect(listLine({ ...file(nowMs), target: '../a b;c' }, 'write', nowMs)).toBe(
      'lrwxrwxrwx   1 ftp      ftp                 8 Jun 15 12:00 .treeinfo -> ../a b;c',
    )
  })
  test('shows what can be written to', () => {
    expect(listLine(folderEntry('x', nowMs), 'write', nowMs)).toMatch(/^drwx/)
    expect(listLine(file(nowMs), 'write', nowMs)).toMatch(/^-rw-/)
  })

  test.each([
    ['', { path: '' }],
    ['-la', { path: '' }],
    ['-l -a images', { path: 'images' }],
    ['-aL /a b', { path: '/a b' }],
    ['a -b', { path: 'a -b' }],
    ['-', { path: '' }],
    ['*.rpm', { path: '.', pattern: '*.rpm' }],
    ['-l a/b?', { path: 'a/', pattern: 'b?' }],
  ])('argument %j', (argument, expected) => expect(parseListArgument(argument)).toEqual(expected))

  test.each([
    ['vim.rpm', '*.rpm', true],
    ['vim.rpm', 'v?m*', true],
    ['vim.rpm', '*.deb', false],
    ['', '*', true],
    // A matcher that tries every way to place the stars would never end.
    ['a'.repeat(5000), `${'*a'.repeat(500)}b`, false],
  ])('%.10s against %.10s', (name, pattern, expected) => expect(matchesPattern(name, pattern)).toBe(expected))

  test('goes out in pieces with others', () => {
    // 3,000 lines of 52 bytes with their CRLF: 156,000 bytes, in pieces of 32 KiB.
    const pieces = [...listingPieces(Array(3000).keys(), (n) => `line ${n}`.padEnd(50))]
    expect(pieces.length).toBeGreaterThan(3)
    expect(Buffer.concat(pieces).toString().split('\r\n')).toHaveLength(3001)
  })
})

describe('a line of MLSD', () => {
  const file = bytesEntry('x', Buffer.alloc(3), Date.UTC(2024, 0, 31, 23, 59, 59))
  test('has the facts of a file', () =>
    expect(factsLine(file, 'x', factNames, 'read')).toBe('type=file;size=3;modify=20240131235959;perm=r; x'))
  test.each([
    ['.', 'OS.unix=slink:.'],
    ['../dists/b-1_2+3~4', 'OS.unix=symlink'],
    ['../dists/b-1_2+3', 'OS.unix=slink:../dists/b-1_2+3'],
    // Characters that would end the fact, the facts or the line, or that not every client takes.
    ['a;b', 'OS.unix=symlink'],
    ['a b', 'OS.unix=symlink'],
    ['ümlaut', 'OS.unix=symlink'],
  ])('of a symlink to %j has the type %s', (target, type) => {
    expect(factsLine({ ...folderEntry('d', 0), target }, 'd', ['type', 'size', 'perm'], 'read')).toBe(
      `type=${type};perm=el; d`,
    )
    expect(factsLine({ ...file, target }, 'd', ['type', 'size', 'perm'], 'read')).toBe(
      `type=${type};size=3;perm=r; d`,
    )
  })
  test('has the facts of a folder', () =>
    expect(factsLine(folderEntry('d', 0), '/d', factNames, 'read')).toBe(
      'type=dir;modify=19700101000000;perm=el; /d',
    ))
  test('has only the facts that the client chose', () => {
    expect(factsLine(file, 'x', ['size'], 'read')).toBe('size=3; x')
    expect(factsLine(file, 'x', [], 'read')).toBe(' x')
  })
})

describe('times', () => {
  const leapDay = Date.UTC(2000, 1, 29)
  test('are parsed as they are formatted', () => expect(parseTime(formatTime(leapDay))).toBe(leapDay))
  test.each(['', '20240231000000', '20240101', '2024010100000x', '20240101256060'])(
    '%j is not a time',
    (text) => expect(parseTime(text)).toBeUndefined(),
  )
  test('may have a fraction', () => expect(parseTime('19700101000001.5')).toBe(1000))
})
