import { describe, expect, test } from 'vitest'
import { treeLimits } from '../../../../server/core/limits/trees.ts'
import { repositoryPath, treePath } from '../../../../server/core/tree/descriptors/paths.ts'
import {
  createNotes,
  decodeText,
  excerpt,
  splitLines,
  splitRelease,
  unquote,
} from '../../../../server/core/tree/descriptors/text.ts'
import { parseDigest } from '../../../../server/core/tree/descriptors/treeinfo-checksums.ts'

test('of the faults of a file, a hundred are kept, and the others are counted', () => {
  const notes = createNotes('f')
  for (let line = 1; line <= 100; line++) notes.add('bad', line)
  expect(notes.list()).toHaveLength(100)
  expect(notes.list()[99]).toEqual({ file: 'f', line: 100, message: 'bad' })
  notes.add('one')
  notes.add('another')
  expect(notes.list()).toHaveLength(101)
  expect(notes.list()[100]).toEqual({ file: 'f', message: expect.stringMatching(/(?<![-\w])2\b/) })
})

describe('the encoding of a descriptor', () => {
  test.each([
    ['UTF-8', Buffer.from('Zürich'), 'Zürich', undefined],
    ['UTF-8 with a byte order mark', Buffer.from('\ufeffZürich'), 'Zürich', 1],
    ['UTF-8 with two marks: the second is text', Buffer.from('\ufeff\ufeffx'), '\ufeffx', 1],
    ['UTF-16, little-endian', Buffer.from('\ufeffZürich', 'utf16le'), 'Zürich', 1],
    ['UTF-16, big-endian', Buffer.from('\ufeffZürich', 'utf16le').swap16(), 'Zürich', 1],
    ['windows-1252', Buffer.from('Z\xfcrich', 'latin1'), 'Zürich', 'whole'],
    ['half a mark', Buffer.from([0xef, 0xbb, 0x41]), 'ï»A', 'whole'],
    ['the wrong middle of a mark', Buffer.from([0xef, 0x41, 0xbf]), 'ïA¿', 'whole'],
    ['the wrong beginning of a mark', Buffer.from([0x41, 0xbb, 0xbf]), 'A»¿', 'whole'],
    ['half a mark of UTF-16, big-endian', Buffer.from([0xfe, 0x41]), 'þA', 'whole'],
    ['the other half', Buffer.from([0x41, 0xff]), 'Aÿ', 'whole'],
    ['half a mark of UTF-16', Buffer.from([0xff, 0x41]), 'ÿA', 'whole'],
    ['nothing', Buffer.alloc(0), '', undefined],
  ])('%s', (_title, bytes, text, fault) => {
    const notes = createNotes('f')
    expect(decodeText(bytes, notes)).toBe(text)
    const lines = notes.list().map(({ line }) => line ?? 'whole')
    expect(lines).toEqual(fault === undefined ? [] : [fault])
  })

  test('lines end with LF, CR LF or CR, and the last one needs no end', () => {
    expect(splitLines('a\nb\r\nc\rd')).toEqual(['a', 'b', 'c', 'd'])
    expect(splitLines('a\n')).toEqual(['a'])
    expect(splitLines('a\n\n')).toEqual(['a', ''])
    expect(splitLines('')).toEqual([])
  })
})

test.each([
  ['"Fedora 7"', 'Fedora 7'],
  ["' x '", 'x'],
  ['"x\'', '"x\''],
  ['"', '"'],
  ['""', ''],
  ['x"', 'x"'],
  ['xax', 'xax'],
])('%s without its quotes is %j', (text, bare) => {
  expect(unquote(text)).toBe(bare)
})

test('a quotation of a file in a message is short and has no control characters', () => {
  expect(excerpt('a\nb')).toBe('"a\\nb"')
  expect(excerpt('x'.repeat(60))).toBe(`"${'x'.repeat(60)}"`)
  expect(excerpt('x'.repeat(61))).toBe(`"${'x'.repeat(57)}..."`)
})

test.each([
  ['Fedora Core 2', 'Fedora Core', '2'],
  ['"Fedora 7"', 'Fedora', '7'],
  ['SUSE Linux Enterprise Server 12 SP5', 'SUSE Linux Enterprise Server', '12 SP5'],
  ['Fedora-Server 21_Alpha', 'Fedora-Server', '21_Alpha'],
  ['Fedora development', 'Fedora', 'development'],
  ['Debian GNU/Linux 4.0 r1', 'Debian GNU/Linux', '4.0 r1'],
  ['Ubuntu 22.04.3 LTS', 'Ubuntu', '22.04.3 LTS'],
  ['CentOS release 5.11', 'CentOS', '5.11'],
  ['Red  Hat\tEnterprise Linux version 6.10', 'Red Hat Enterprise Linux', '6.10'],
  ['openSUSE Tumbleweed', 'openSUSE', 'Tumbleweed'],
  ['Kali Linux kali-rolling', 'Kali Linux', 'kali-rolling'],
  ['붉은별 3.0판', '붉은별', '3.0'],
  ['Scientific Linux-6.9', 'Scientific Linux', '6.9'],
  ['Foo v1.2', 'Foo', '1.2'],
  [' \t"Fedora 7"\n', 'Fedora', '7'],
  ['Fedora 7 Beta )', 'Fedora', '7 Beta'],
  ['x'.repeat(treeLimits.release.bytes + 1), 'x'.repeat(treeLimits.release.bytes), ''],
  ['7.8', '', '7.8'],
  ['SugonOS', 'SugonOS', ''],
  ['9front rescue disc', '9front rescue disc', ''],
  ['', '', ''],
])('the product %j is the family %j, version %j', (text, family, version) => {
  expect(splitRelease(text)).toEqual({ family, version })
})

describe('paths in a descriptor', () => {
  test.each([
    ['images/vmlinuz', 'images/vmlinuz', 0],
    [' images/vmlinuz ', 'images/vmlinuz', 0],
    ['/images/vmlinuz', 'images/vmlinuz', 1],
    ['.//./images/vmlinuz', 'images/vmlinuz', 1],
    ['"images/vmlinuz"', 'images/vmlinuz', 1],
    ['images/vmlinuz\nmore', 'images/vmlinuz', 1],
    ['../vmlinuz', '../vmlinuz', 1],
    ['a/..', 'a/..', 1],
    ['a..b', 'a..b', 0],
    ['.treeinfo', '.treeinfo', 0],
    ['', undefined, 0],
    ['.', undefined, 0],
    ['/', undefined, 1],
    ['./', undefined, 1],
  ])('%j is %j, with %i notes', (value, path, count) => {
    const notes = createNotes('f')
    expect(treePath(value, 'kernel', notes, 7)).toBe(path)
    expect(notes.list()).toEqual(
      Array(count).fill({ file: 'f', line: 7, message: expect.stringContaining('kernel') }),
    )
  })

  test.each([
    ['', '.'],
    ['.', '.'],
    ['./', '.'],
    ['/', '.'],
    ['repodata', '.'],
    ['/repodata/', '.'],
    ['Server/repodata//', 'Server'],
    ['"Server"', 'Server'],
    [' Server ', 'Server'],
    ['.//./Server///repodata', 'Server'],
    ['Server//', 'Server'],
    ['Server\nOther', 'Server'],
    ['../../x', '../../x'],
    ['myrepodata', 'myrepodata'],
    ['repodata/x', 'repodata/x'],
  ])('the repository %j is the folder %j', (value, folder) => {
    expect(repositoryPath(value)).toBe(folder)
  })
})

test('sha alone means sha1', () => {
  expect(parseDigest(`sha:${'a'.repeat(40)}`)?.algorithm).toBe('sha1')
  expect(parseDigest(`sha:${'a'.repeat(64)}`)).toBeUndefined()
})

test.each([
  ['md5', 32],
  ['sha1', 40],
  ['sha224', 56],
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
])('a digest of %s has %i hexadecimal digits', (algorithm, length) => {
  const hex = 'A1'.repeat(length / 2)
  const digest = { algorithm, hex: hex.toLowerCase() }
  expect(parseDigest(hex)).toEqual(digest)
  expect(parseDigest(` ${algorithm.toUpperCase()} : ${hex} `)).toEqual(digest)
  expect(parseDigest(`${algorithm.replace('sha', 'sha-')}:${hex}`)).toEqual(digest)
  for (const bad of [
    `${algorithm}:${hex}0`,
    `crc:${hex}`,
    `${algorithm}:${hex.slice(1)}g`,
    `${hex} x`,
    `x ${hex}`,
    '',
  ])
    expect(parseDigest(bad), bad).toBeUndefined()
})
