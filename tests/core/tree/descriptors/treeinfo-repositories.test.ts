import { describe, expect, test } from 'vitest'
import { readTreeinfo } from '../../../../server/core/tree/descriptors/treeinfo.ts'

const read = (...lines: string[]) =>
  readTreeinfo('.treeinfo', ['[general]', 'family = F', ...lines].join('\n'))
const repositoriesOf = (...lines: string[]) => read(...lines)?.repositories

test('the repository of the tree’s own variant is first, then the tree itself, variants, and add-ons', () => {
  const found = repositoriesOf(
    'variant = BaseOS',
    ...['[addon-HA]', 'repository = addons/HA'],
    ...['[variant-opt]', 'type = optional', 'repository = opt'],
    ...['[variant-Apps]', 'repository = ../Apps'],
    ...['[variant-Root]', 'repository = .'],
    ...['[variant-BaseOS]', 'repository = ../BaseOS'],
  )
  expect(found?.map(({ id }) => id)).toEqual(['BaseOS', 'Root', 'Apps', 'HA', 'opt'])
})

test('the uid names a repository, or else its id, or else its section', () => {
  const found = repositoriesOf(
    ...['[variant-a]', 'repository = a', 'id = i', 'uid = u', 'name = A name'],
    ...['[variant-b]', 'repository = b', 'id = j'],
    ...['[variant-c]', 'repository = c'],
    ...['[addon-d-e]', 'repository = d'],
  )
  expect(found?.map(({ id, name }) => [id, name])).toEqual([
    ['u', 'A name'],
    ['j', 'j'],
    ['c', 'c'],
    ['d-e', 'd-e'],
  ])
})

test.each([
  ['variant-x', 'variant', 'variant'],
  ['variant-x', 'Optional', 'optional'],
  ['variant-x', 'module', 'module'],
  ['variant-x', 'addon', 'addon'],
  ['variant-x', 'layered-product', 'variant'],
  ['addon-x', 'variant', 'variant'],
  ['addon-x', '', 'addon'],
  ['variant-x', '', 'variant'],
])('[%s] of the type "%s" is of the kind %s', (section, type, kind) => {
  expect(repositoriesOf(`[${section}]`, `type = ${type}`, 'repository = x')?.[0]?.kind).toBe(kind)
})

test('Python reads keys in any case, and so do we', () => {
  expect(repositoriesOf('[variant-x]', 'ID = y', 'Repository = z')).toEqual([
    { id: 'y', name: 'y', kind: 'variant', path: 'z' },
  ])
})

test('a variant without a repository, and a section of another name, name none', () => {
  expect(repositoriesOf('[variant-x]', 'id = x', '[my-variant-y]', 'repository = y')).toEqual([])
})

describe('checksums of repomd.xml', () => {
  const sums = (...paths: string[]) => [
    '[checksums]',
    ...paths.map((path) => `${path} = md5:${'a'.repeat(32)}`),
  ]

  test('show the repositories of a tree that names none', () => {
    const found = repositoriesOf(
      'variant = Server',
      ...sums(
        'Client/repodata/repomd.xml',
        'repodata/repomd.xml',
        'repodata/repomd.xml.asc',
        'myrepodata/repomd.xml',
      ),
    )
    expect(found).toEqual([
      { id: 'Server', name: 'Server', kind: 'repository', path: '.' },
      { id: 'Client', name: 'Client', kind: 'repository', path: 'Client' },
    ])
  })

  test('show nothing when the tree names a repository', () => {
    const checksums = sums('Client/repodata/repomd.xml')
    for (const [lines, path] of [
      [['repository = Old'], 'Old'],
      [['[variant-x]', 'repository = New'], 'New'],
    ] as const)
      expect(repositoriesOf(...lines, ...checksums)?.map((each) => each.path)).toEqual([path])
  })
})

describe('the variant of a tree whose [general] names none', () => {
  test.each([
    ['its only one', ['[tree]', 'variants = Server'], 'Server'],
    ['its only one, in [general]', ['variants = Server'], 'Server'],
    [
      'the one in the tree itself',
      ['variants = A,B', '[variant-A]', 'repository = a', '[variant-B]', 'repository = .'],
      'B',
    ],
    [
      'the one in the tree itself, in another spelling',
      ['variants = A,B', '[variant-A]', 'repository = a', '[variant-B]', 'repository = ./repodata'],
      'B',
    ],
    ['unknown when none is in the tree itself', ['variants = A,B', '[variant-A]', 'repository = a'], ''],
    ['unknown when none has a repository', ['variants = A,B', '[variant-B]', 'repository ='], ''],
  ])('%s', (_title, lines, variant) => {
    expect(read(...lines)?.variant).toBe(variant)
  })
})
