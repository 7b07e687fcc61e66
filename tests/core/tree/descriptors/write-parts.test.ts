import { describe, expect, test } from 'vitest'
import { writeTreeinfo } from '../../../../server/core/tree/descriptors/write.ts'
import type { Description, Repository } from '../../../../server/core/tree/tree.ts'

const nothing: Description = {
  era: 'files-only',
  family: '',
  version: '',
  variant: '',
  arch: 'x86_64',
  platforms: {},
  repositories: [],
  checksums: {},
  problems: [],
}
const write = (description: Partial<Description>) => writeTreeinfo({ ...nothing, ...description })

/** The lines of one section of the text. */
function sectionOf(text: string, name: string): string[] {
  return text.split(`[${name}]\n`)[1]?.split('\n\n')[0]?.trimEnd().split('\n') ?? []
}
function valueIn(text: string, section: string, key: string): string | undefined {
  const line = sectionOf(text, section).find((each) => each.startsWith(`${key} =`))
  return line?.slice(key.length + 2).trim()
}
const headersOf = (text: string, like: RegExp) =>
  [...text.matchAll(/^\[(.+)\]$/gm)].flatMap(([, name = '']) => (like.test(name) ? [name] : []))

test('a description that says nothing gets what clients insist on', () => {
  const text = write({})
  expect(headersOf(text, /./)).toEqual(['general', 'header', 'release', 'tree', 'variant-Everything'])
  expect(sectionOf(text, 'release')).toEqual(['name = unknown', 'short = unknown', 'version = 0'])
  expect(valueIn(text, 'general', 'timestamp')).toBe('0')
})

describe('variants', () => {
  const repository = (id: string, path: string, name = id): Repository => ({
    id,
    name,
    kind: 'variant',
    path,
  })

  test('each repository is one, in the order of the description; the first is the repository of the tree', () => {
    const text = write({
      repositories: [repository('B', '../B/os'), repository('A', '.', 'The  A\n'), repository('C', 'c', '')],
    })
    expect(headersOf(text, /^variant-/)).toEqual(['variant-B', 'variant-A', 'variant-C'])
    for (const section of ['general', 'tree']) expect(valueIn(text, section, 'variants')).toBe('B,A,C')
    expect(valueIn(text, 'general', 'variant')).toBe('B')
    expect(valueIn(text, 'general', 'repository')).toBe('../B/os')
    expect(sectionOf(text, 'variant-B')).toEqual([
      'id = B',
      'name = B',
      'packages = ../B/os/Packages',
      'repository = ../B/os',
      'type = variant',
      'uid = B',
    ])
    expect(sectionOf(text, 'variant-A').slice(1, 4)).toEqual([
      'name = The A',
      'packages = Packages',
      'repository = .',
    ])
    expect(valueIn(text, 'variant-C', 'name')).toBe('C')
  })

  test.each<[string, string, Repository[], string[]]>([
    ['none: the variant of the tree', 'Server', [], ['Server .']],
    ['none and no variant', '', [], ['Everything .']],
    ['one without an id is the variant of the tree', 'Server', [repository('', 'x')], ['Server x']],
    ['one without any id', '', [repository('', 'x'), repository('A', 'a')], ['A a']],
    ['the id has no dash', '', [repository('Server-HA', 'x')], ['ServerHA x']],
    ['a path that cannot be written', '', [repository('A', '50%'), repository('B', 'b')], ['B b']],
    ['of one id, the first', '', [repository('A', 'a'), repository('A', 'b')], ['A a']],
    ['of one id, the first that can be written', '', [repository('A', '50%'), repository('A', 'b')], ['A b']],
    ['nothing that can be written', 'Server', [repository('A', '50%')], ['Server .']],
  ])('%s', (_title, variant, repositories, expected) => {
    const text = write({ variant, repositories })
    const ids = headersOf(text, /^variant-/)
    expect(ids.map((id) => `${id.slice(8)} ${valueIn(text, id, 'repository')}`)).toEqual(expected)
  })

  test('the variant of the description stays, also beside others', () => {
    const text = write({ variant: 'Mine', repositories: [repository('A', 'a')] })
    expect([valueIn(text, 'general', 'variant'), valueIn(text, 'general', 'variants')]).toEqual(['Mine', 'A'])
  })
})

describe('platforms', () => {
  const images = (kernel: string) => ({ kernel, others: {} })
  test.each<[string, Description['platforms'], string[]]>([
    [
      'are sorted',
      { xen: images('a'), x86_64: images('b'), '386': images('c') },
      ['386 c', 'x86_64 b', 'xen a'],
    ],
    ['need a name', { '%': images('a'), '': images('b'), x: images('c') }, ['x c']],
    ['need an image', { a: { others: {} }, b: images('50%'), c: images('c') }, ['c c']],
    ['differ in more than case: the first', { XEN: images('a'), xen: images('b') }, ['XEN a']],
    [
      'differ in more than case: the first that can be written',
      { XEN: { others: {} }, xen: images('b') },
      ['xen b'],
    ],
  ])('%s', (_title, platforms, expected) => {
    const text = write({ platforms })
    const names = headersOf(text, /^images-/)
    expect(names.map((name) => `${name.slice(7)} ${valueIn(text, name, 'kernel')}`)).toEqual(expected)
    for (const section of ['general', 'tree'])
      expect(valueIn(text, section, 'platforms')).toBe(names.map((name) => name.slice(7)).join(','))
  })

  test('the images of one are sorted, with keys in lower case', () => {
    const others = { 'Boot.ISO': 'images/boot.iso', a: 'x', '%': 'y', kernel: 'z', 'b b': '' }
    const text = write({ platforms: { x: { kernel: 'k', initrd: 'i', others } } })
    expect(sectionOf(text, 'images-x')).toEqual([
      'a = x',
      'boot.iso = images/boot.iso',
      'initrd = i',
      'kernel = k',
    ])
  })
})

test('checksums are sorted; a path that cannot be a key, or differs from one in case alone, is left out', () => {
  const digest = { algorithm: 'md5', hex: '0'.repeat(32) } as const
  const paths = ['z', 'a#b;c[d]', 'B', 'b', 'c=d', 'c:d', '#e', ';f', '[g]', '/h', '50%', 'i ', '']
  const text = write({ checksums: Object.fromEntries(paths.map((path) => [path, digest])) })
  expect(sectionOf(text, 'checksums').map((line) => line.replace(/ = .*/, ''))).toEqual([
    'B',
    'a#b;c[d]',
    'z',
  ])
})

test.each([
  ['./x', 'x'],
  ['.//./x', 'x'],
  ['//x', 'x'],
  ['../x', '../x'],
  ['it\'s "x"', 'it\'s "x"'],
  ['a b', 'a b'],
  ['a  b', undefined],
  ['"x"', undefined],
  ["'x'", undefined],
  ['50%', undefined],
  [' x', undefined],
  ['', undefined],
])('the path %j is written as %j', (path, written) => {
  expect(valueIn(write({ stage2: path }), 'stage2', 'mainimage')).toBe(written)
})

test.each([
  ['Fedora Linux', 'Fedora'],
  ['openSUSE Leap', 'openSUSELeap'],
  ['SUSE Linux Enterprise Server', 'SES'],
  ['SUSE  Linux\nEnterprise\tServer ', 'SES'],
  ['Debian GNU/Linux', 'DebianGNULinux'],
  ['Linux', 'unknown'],
  ['붉은별', 'unknown'],
])('the short name of %j is %s', (family, short) => {
  expect(valueIn(write({ family }), 'release', 'short')).toBe(short)
})
