import { describe, expect, test } from 'vitest'
import { distroOf } from '../../../../server/core/distro/distro.ts'
import { readTreeinfo } from '../../../../server/core/tree/descriptors/treeinfo.ts'
import { stating } from '../../../support/stating.ts'

const read = (...lines: string[]) => readTreeinfo('.treeinfo', lines.join('\n'))
const messagesOf = (...lines: string[]) =>
  read(...lines)?.problems.map(({ line, message }) => `${line ?? '-'}: ${message}`) ?? []

describe('one key that only a treeinfo has is enough:', () => {
  test.each([
    ['general', 'family = x'],
    ['general', 'arch = x'],
    ['general', 'platforms = x'],
    ['general', 'packagedir ='],
    ['general', 'totaldiscs = 1'],
    ['tree', 'arch = x'],
    ['tree', 'platforms = x'],
    ['tree', 'variants = x'],
    ['stage2', 'mainimage = x'],
    ['stage2', 'instimage = x'],
    ['header', 'type = productmd.treeinfo'],
    ['header', 'type = productmd.treeinfo.next'],
    ['images-x', 'kernel = x'],
    ['Images-x', 'boot.iso = x'],
  ])('[%s] %s', (section, line) => {
    expect(read(`[${section}]`, line)).toBeDefined()
  })

  test.each([
    ['general', 'name = x'],
    ['tree', 'name = x'],
    ['header', 'version = 1.2'],
    ['header', 'type = productmd.images'],
    ['header', 'type = my productmd.treeinfo'],
    ['my-images-x', 'kernel = x'],
    ['images-x', ''],
  ])('but not [%s] %s', (section, line) => {
    expect(read(`[${section}]`, line)).toBeUndefined()
  })
})

describe('[header]', () => {
  const type = 'type = productmd.treeinfo'
  test.each<[string[], string, RegExp | undefined]>([
    [[], 'treeinfo-0.0', undefined],
    [['[header]', 'version = 0.3'], 'treeinfo-0.3', undefined],
    [['[header]', 'version = 1.0'], 'treeinfo-1.0', undefined],
    [['[header]', 'version = 1.1', type], 'treeinfo-1.1', undefined],
    [['[header]', 'version = 1.2', type], 'treeinfo-1.2', undefined],
    [['[header]', 'version = 1.1'], 'treeinfo-1.1', stating('4:', 'type')],
    [['[header]', 'version = 1.2'], 'treeinfo-1.2', stating('4:', 'type')],
    [['[header]', 'version =', type], 'treeinfo-1.2', stating('3:', 'version', '1.2')],
    [['[header]'], 'treeinfo-1.2', stating('3:', 'version', '1.2')],
    [['[header]', 'version = 9'], 'treeinfo-1.2', stating('4:', '"9"')],
  ])('%j is of the era %s', (lines, era, problem) => {
    const all = ['[general]', 'family = x', ...lines]
    expect(read(...all)?.era).toBe(era)
    const found = messagesOf(...all).filter((message) => message.includes('header'))
    expect(found).toEqual(problem ? [expect.stringMatching(problem)] : [])
  })
})

test('a tree without family and arch is reported', () => {
  const neither = messagesOf('[general]', 'packagedir =')
  expect(neither).toEqual([
    expect.stringMatching(stating('-:', 'family')),
    expect.stringMatching(stating('-:', 'arch')),
  ])
})

test('an empty value of [general] contradicts nothing', () => {
  const images = ['[images-x]', 'kernel = a', 'initrd = b']
  const release = ['[release]', 'name = F', 'version = 40', '[tree]', 'arch = x', ...images]
  expect(messagesOf('[general]', 'version =', 'arch =', ...release)).toEqual([])
  expect(messagesOf('[general]', 'version = 41', 'arch = y', ...release).slice(0, 2)).toEqual([
    expect.stringMatching(stating('2:', '"41"', '[release]', '"40"')),
    expect.stringMatching(stating('3:', '"y"', '[tree]', '"x"')),
  ])
})

test.each([
  ['only [tree] lists platforms', ['[tree]', 'platforms = xen,ppc64le'], 'ppc64le'],
  ['only [general] lists them', ['[general]', 'platforms = xen,ppc64le'], 'ppc64le'],
  ['both do', ['[general]', 'platforms = s390x', '[tree]', 'platforms = ppc64le'], 'ppc64le'],
  ['one section is an arch', ['[images-xen]', 'kernel = a', '[images-i386]', 'kernel = b'], 'i386'],
  ['two sections are', ['[images-x86_64]', 'kernel = a', '[images-i386]', 'kernel = b'], ''],
])('the arch of a tree that names none, when %s', (_title, lines, arch) => {
  expect(read(...lines)?.arch).toBe(arch)
})

test('a number that is empty is not there', () => {
  const found = read('[general]', 'family = x', 'timestamp =', 'discnum =')
  expect([found?.timestamp, found?.disc]).toEqual([undefined, undefined])
})

test('a value has single blanks', () => {
  expect(read('[general]', 'family = "Red  Hat', '  Enterprise "')?.family).toBe('Red Hat Enterprise')
})

test('a digest of the tree itself is left out', () => {
  const found = read('[general]', 'family = x', '[checksums]', `/ = md5:${'a'.repeat(32)}`)
  expect(found?.checksums).toEqual({})
})

describe('XenServer and XCP-ng', () => {
  const branding = '[branding]\nname = XCP-ng\nversion = 8.2.0\n'
  const own = `[platform]\nname = XCP\nversion = 3.2.0\n\n${branding}\n[build]\nnumber = release/stockholm/master/7\n`

  test('are known by [branding], and said to need Xen', () => {
    const tree = readTreeinfo('.treeinfo', own)
    expect(tree).toMatchObject({ family: 'XCP-ng', version: '8.2.0', platforms: {} })
    expect(tree?.problems).toContainEqual({
      file: '.treeinfo',
      message: expect.stringContaining('boot/xen.gz'),
    })
    expect(tree && distroOf(tree)).toBe('xenserver')
  })

  test('[general] counts where it is there', () => {
    const general = '[general]\nfamily = XCP-ng\nversion = 8.3.0\narch = x86_64\n'
    expect(readTreeinfo('.treeinfo', own + general)).toMatchObject({ version: '8.3.0', arch: 'x86_64' })
  })

  test.each([
    '[branding]\nname = XCP-ng\n',
    '[branding]\nversion = 8.2.0\n',
    '[platform]\nname = a\nversion = 1\n',
  ])('%j alone is not a treeinfo', (text) => {
    expect(readTreeinfo('.treeinfo', text)).toBeUndefined()
  })
})
