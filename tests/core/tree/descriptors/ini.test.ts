import { expect, test } from 'vitest'
import { parseIni } from '../../../../server/core/tree/descriptors/ini.ts'
import { createNotes, decodeText } from '../../../../server/core/tree/descriptors/text.ts'
import { stating } from '../../../support/stating.ts'

function parse(input: string | Uint8Array) {
  const notes = createNotes('f')
  const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input
  const ini = parseIni(decodeText(bytes, notes), notes)
  const value = (section: string, key: string) => ini.entry(section, key)?.value
  return { ini, value, problems: notes.list().map(({ line, message }) => `${line ?? '-'}: ${message}`) }
}

test('= and : delimit with any spacing, whichever comes first, and an indented key is a key', () => {
  const { value, problems } = parse('[a]\nx=1\ny : 2\nz = a:b\nw: a=b\n  v = 3  \n')
  expect(['x', 'y', 'z', 'w'].map((key) => value('a', key))).toEqual(['1', '2', 'a:b', 'a=b'])
  expect(value('a', 'v')).toBe('3')
  expect(problems).toEqual(['6: "v" is indented; Python takes it for a part of the value above'])
})

test('a file that is indented throughout has no continuation lines', () => {
  const { value, problems } = parse('  [a]\n  x = 1\n  y = 2\n')
  expect([value('a', 'x'), value('a', 'y'), problems]).toEqual(['1', '2', []])
})

test('a deeper line continues the value, even an empty one', () => {
  const { value, problems } = parse('[a]\nx = 1,\n   2\ny =\n\tsha256:abc\n')
  expect([value('a', 'x'), value('a', 'y'), problems]).toEqual(['1,\n2', 'sha256:abc', []])
})

test('a comment is a whole line, also when it looks like a key', () => {
  const { ini, value } = parse('[a]\n; WARNING.0 = no\n# x = no\n  # y = no\nx = a ; b # c\n')
  expect([...(ini.sections.get('a')?.entries.keys() ?? [])]).toEqual(['x'])
  expect(value('a', 'x')).toBe('a ; b # c')
})

test('of equal keys the last wins, equal sections are merged, and both are reported', () => {
  const { value, problems } = parse('[a]\nx = 1\nx = 2\n[b]\n[a]\nx = 3\ny = 4\ny = 4\n')
  expect([value('a', 'x'), value('a', 'y')]).toEqual(['3', '4'])
  expect(problems).toEqual([
    expect.stringMatching(stating('3:', '"x"', '[a]', 'line 2')),
    expect.stringMatching(stating('5:', '[a]', 'line 1')),
    expect.stringMatching(stating('6:', '"x"', '[a]', 'line 3')),
    expect.stringMatching(stating('8:', '"y"', '[a]', 'line 7')),
  ])
})

test('keys and sections are found in any case: of sections the first, of keys the last', () => {
  const { value } = parse(
    '[ General ]\nX = 1\nx = 2\n[GENERAL]\nx = 3\n[b]\nY = 4\ny = 5\nZ = 6\nzZ = 7\nZz = 8\n',
  )
  expect([value('general', 'x'), value('b', 'y'), value('b', 'zz')]).toEqual(['2', '5', '8'])
  expect(parse('[General]\nFamily = Fedora\n').value('general', 'family')).toBe('Fedora')
})

test.each(['\r\n', '\r', '\n'])('lines end with %j', (end) => {
  const { value, problems } = parse(['[a]', 'x = 1', 'y = 2'].join(end))
  expect([value('a', 'x'), value('a', 'y'), problems]).toEqual(['1', '2', []])
})

test('a byte order mark is dropped and reported', () => {
  const { value, problems } = parse('\ufeff[a]\nx = 1\n')
  expect(value('a', 'x')).toBe('1')
  expect(problems).toEqual([expect.stringMatching(stating('1:', 'byte order mark'))])
})

test('UTF-16 is read; bytes that are not UTF-8 are read as windows-1252 and reported', () => {
  expect(parse(Buffer.from('\ufeff[a]\nx = é\n', 'utf16le')).value('a', 'x')).toBe('é')
  const { value, problems } = parse(Buffer.from('[a]\nx = Mandrak\xe9\n', 'latin1'))
  expect(value('a', 'x')).toBe('Mandraké')
  expect(problems).toEqual([expect.stringMatching(stating('-:', 'windows-1252'))])
})

test('lines that are neither section nor key are reported and skipped', () => {
  const { value, problems } = parse('y = 0\n[a]\nnonsense\n= 1\n[]\nx = 1')
  expect(value('a', 'x')).toBe('1')
  expect(problems.map((text) => text.split(':')[0])).toEqual(['1', '3', '4', '5'])
})

test('a file of junk gives a hundred problems and the count of the others', () => {
  const { problems } = parse('junk\n'.repeat(1000))
  expect([problems.length, problems.at(-1)]).toEqual([101, expect.stringMatching(stating('-:', 900))])
})
