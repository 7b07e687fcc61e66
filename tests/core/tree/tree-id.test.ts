import { describe, expect, test } from 'vitest'
import {
  imageStem,
  isSkippedFolder,
  isTemporaryFile,
  treeIdTrouble,
} from '../../../server/core/tree/names.ts'
import { levelsAbove, slug, suggestTreeId } from '../../../server/core/tree/tree-id.ts'
import { stating } from '../../support/stating.ts'

describe('the id that is suggested for a tree', () => {
  test.each([
    ['fedora-40-server-x86_64', 'Fedora', '40', 'Server/x86_64'],
    ['debian-12.5.0-netinst-amd64', 'Debian GNU/Linux', '12.5.0', 'NETINST/amd64'],
    ['rhel-9.4-baseos-x86_64', 'Red Hat Enterprise Linux', '9.4', 'BaseOS/x86_64'],
    ['sles-15-sp4-x86_64', 'SUSE Linux Enterprise Server', '15 SP4', '/x86_64'],
    // Fedora 20 and older name the family as the variant.
    ['fedora-20-x86_64', 'Fedora', '20', 'Fedora/x86_64'],
    ['my-own-linux-1', 'My Own / Linux', '1', '/'],
    [undefined, 'Fedora', '', 'Server/x86_64'],
    [undefined, '', '40', 'Server/x86_64'],
    [undefined, '???', '40', '/'],
  ])('%s is that of %s %s, %s', (id, family, version, variantAndArch) => {
    const [variant = '', arch = ''] = variantAndArch.split('/')
    expect(suggestTreeId({ family, version, variant, arch })).toBe(id)
  })

  test.each([
    ['Fedora_40', 'fedora_40'],
    ['  a  b  ', 'a-b'],
    ['-._a.b._-', 'a.b'],
    ['ä/ö?ü', ''],
    ['x'.repeat(70), 'x'.repeat(60)],
  ])('the text %j is %j in an id', (text, result) => {
    expect(slug(text)).toBe(result)
  })
})

test.each([
  [[], 0],
  [['.'], 0],
  [['Server', 'a/b/../c'], 0],
  [['a//../..'], 1],
  [['a/../..'], 1],
  [['./../x//../y'], 1],
  [['.', '../../../AppStream/x86_64/os', '../../CRB'], 3],
])('a tree with the repositories %j needs %i levels above it', (paths, levels) => {
  expect(levelsAbove(paths.map((path) => ({ path })))).toBe(levels)
})

test('hidden folders, and folders of packages and of file systems, are never searched', () => {
  for (const name of [
    '.incoming',
    '.~tmp~',
    'lost+found',
    '@eaDir',
    'Packages',
    'repodata',
    'SRPMS',
    'by-hash',
  ])
    expect(isSkippedFolder(name), name).toBe(true)
  for (const name of ['fedora', 'packages', 'lost', 'eaDir', 'a.b', 'constructor'])
    expect(isSkippedFolder(name), name).toBe(false)
})

test.each([
  // rsync's name for `vmlinuz`
  ['.vmlinuz.a1B2c3', true],
  ['..treeinfo.Zz9aA0', true],
  ['vmlinuz.a1B2c3', false],
  ['.vmlinuz.a1B2c', false],
  ['.vmlinuz.a1B2c34', false],
  ['.a1B2c3', false],
  ['.treeinfo', false],
  ['a.iso.part', true],
  ['a.iso.filepart', true],
  ['a.iso.crdownload', true],
  ['a.tmp', true],
  ['.a.swp', true],
  ['a~', true],
  ['a~b', false],
  ['a.party', false],
  ['tmp', false],
])('%s is the name of a file that is being copied: %s', (name, temporary) => {
  expect(isTemporaryFile(name)).toBe(temporary)
})

test.each([
  ['Fedora-40.iso', 'Fedora-40'],
  ['a.b.ISO', 'a.b'],
  ['a.iso.img', 'a.iso'],
  ['a.img', 'a'],
  ['.hidden.iso', undefined],
  ['.iso', undefined],
  ['iso', undefined],
  ['a.iso.part', undefined],
  ['a.iso~', undefined],
  ['a.isox', undefined],
  ['aiso', undefined],
  ['.a.iso.a1B2c3', undefined],
])('the image %s holds the tree %s', (name, tree) => {
  expect(imageStem(name)).toBe(tree)
})

test('an id that a loader cannot take in a path is refused, and the message shows each character once', () => {
  for (const id of ['fedora/40/x86_64', 'A-z_0.9~+@,=:', '']) expect(treeIdTrouble(id)).toBeUndefined()
  expect(treeIdTrouble('a b%c b')).toMatch(stating('a blank', '"%"'))
  expect(treeIdTrouble('a b c')?.match(/a blank/g)).toHaveLength(1)
  expect(treeIdTrouble('a\tb\x7f')).toMatch(stating('U+0009', 'U+007f'))
  expect(treeIdTrouble('ü💿')).toMatch(stating('"ü"', '"💿"'))
  for (const character of '?#&*$\\"\'()[]{}|<>;!^`')
    expect(treeIdTrouble(`a${character}b`), character).toBeDefined()
})
