import { describe, expect, test } from 'vitest'
import type { TreeSelector } from '../../../server/core/guest/guest.ts'
import { createTreeIndex, type TreeIndex } from '../../../server/core/select/select.ts'
import { stating } from '../../support/stating.ts'
import { fakeTree } from '../../support/trees.ts'

const alma = { family: 'AlmaLinux', distro: 'alma' } as const
const baseos = [
  { id: 'BaseOS', name: 'BaseOS', kind: 'variant', path: '.' },
  { id: 'AppStream', name: 'AppStream', kind: 'variant', path: 'AppStream' },
] as const
const trees = createTreeIndex([
  fakeTree({ id: 'fedora/39', version: '39' }),
  fakeTree({ id: 'fedora/40/cloud', variant: 'Cloud' }),
  fakeTree({ id: 'fedora/40/server' }),
  fakeTree({ id: 'fedora/40/everything', variant: 'Everything' }),
  fakeTree({ id: 'fedora/40/arm', arch: 'aarch64' }),
  fakeTree({ id: 'fedora/41', version: '41', state: 'incoming', reasons: ['3 files still growing'] }),
  fakeTree({
    id: 'fedora/rawhide',
    version: 'Rawhide',
    state: 'broken',
    reasons: ['initrd.img is truncated'],
  }),
  fakeTree({ id: 'alma/9.9', ...alma, version: '9.9', variant: 'BaseOS', repositories: baseos }),
  fakeTree({ id: 'alma/9.10', ...alma, version: '9.10', variant: 'BaseOS', repositories: baseos }),
  fakeTree({ id: 'alma/8', ...alma, version: '8.10', variant: 'BaseOS' }),
  fakeTree({
    id: 'deb/12',
    family: 'Debian GNU/Linux',
    distro: 'debian',
    version: '12.5.0',
    arch: 'amd64',
    codename: 'bookworm',
  }),
  fakeTree({ id: 'sle', family: 'SUSE Linux Enterprise', distro: 'sles', version: '15 SP4' }),
  fakeTree({ id: 'stream9', family: 'CentOS Stream', distro: 'centos-stream', version: '9' }),
  fakeTree({ id: 'centos7', family: 'CentOS', distro: 'centos', version: '7' }),
  fakeTree({ id: 'odd', family: 'SugonOS', distro: 'other', version: '6.6' }),
])

function pick(selector: TreeSelector, index: TreeIndex = trees): string {
  const selection = index.select(selector)
  return selection.found ? selection.tree.id : selection.why
}

describe('which tree a selector finds', () => {
  test.each<[TreeSelector, string]>([
    [{ distro: 'fedora', version: '40', arch: 'x86_64' }, 'fedora/40/everything'],
    [{ distro: 'Fedora', arch: 'amd64' }, 'fedora/40/everything'],
    [{ distro: 'fedora', version: '40', variant: 'server', arch: 'x86_64' }, 'fedora/40/server'],
    [{ distro: 'fedora', arch: 'arm64' }, 'fedora/40/arm'],
    [{ distro: 'almalinux', version: '9' }, 'alma/9.10'],
    [{ distro: 'Alma Linux', version: '9.9' }, 'alma/9.9'],
    [{ distro: 'alma', version: 'latest' }, 'alma/9.10'],
    [{ distro: 'alma', variant: 'AppStream' }, 'alma/9.10'],
    [{ distro: 'debian', version: 'bookworm', arch: 'x86_64' }, 'deb/12'],
    [{ distro: 'debian', version: '12' }, 'deb/12'],
    [{ distro: 'sle', version: '15.4' }, 'sle'],
    [{ distro: 'centos' }, 'centos7'],
    [{ distro: 'centos', version: '9' }, 'stream9'],
    [{ distro: 'SugonOS' }, 'odd'],
    [{ version: '15 SP4' }, 'sle'],
    [{ id: '/fedora/39/' }, 'fedora/39'],
  ])('%j is %s', (selector, id) => {
    expect(pick(selector)).toBe(id)
  })

  // Of one version, the variant that can install most comes first: Everything, Server, Cloud.
  test('the other trees are listed, best first', () => {
    const selection = trees.select({ distro: 'fedora', arch: 'x86_64' })
    expect(selection.found && selection.others.map(({ id }) => id)).toEqual([
      'fedora/40/server',
      'fedora/40/cloud',
      'fedora/39',
    ])
  })

  const debian = { family: 'Debian GNU/Linux', distro: 'debian' } as const
  const opensuse = { family: 'openSUSE', distro: 'opensuse' } as const
  const unfinished = createTreeIndex([
    fakeTree({ id: 'f41', version: '41' }),
    fakeTree({ id: 'f42-beta', version: '42_Beta' }),
    fakeTree({ id: 'rawhide', version: 'Rawhide' }),
    fakeTree({ id: 'rawhide-arm', version: 'Rawhide', arch: 'aarch64' }),
    fakeTree({ id: 'alma9', ...alma, version: '9.5' }),
    fakeTree({ id: 'alma10', ...alma, version: '10.0 Beta' }),
    fakeTree({ id: 'deb12', ...debian, version: '12.5.0' }),
    fakeTree({ id: 'stable', ...debian, version: 'stable' }),
    fakeTree({ id: 'testing', ...debian, version: 'testing' }),
    fakeTree({ id: 'sid', ...debian, version: 'sid' }),
    fakeTree({ id: 'leap', ...opensuse, version: '15.6' }),
    fakeTree({ id: 'tumbleweed', ...opensuse, version: 'Tumbleweed' }),
    fakeTree({ id: 'edge', family: 'Alpine Linux', distro: 'alpine', version: 'edge' }),
    fakeTree({ id: 'cauldron', family: 'Mageia', distro: 'mageia', version: 'cauldron' }),
    fakeTree({ id: 'mga9', family: 'Mageia', distro: 'mageia', version: '9' }),
  ])
  test.each<[TreeSelector, string]>([
    [{ distro: 'fedora' }, 'f41'],
    [{ distro: 'fedora', version: 'latest', arch: 'x86_64' }, 'f41'],
    [{ distro: 'fedora', arch: 'aarch64' }, 'rawhide-arm'],
    [{ distro: 'fedora', version: 'rawhide', arch: 'x86_64' }, 'rawhide'],
    [{ distro: 'fedora', version: '42' }, 'f42-beta'],
    [{ distro: 'alma' }, 'alma9'],
    [{ distro: 'alma', version: '10 beta' }, 'alma10'],
    [{ distro: 'debian' }, 'stable'],
    [{ distro: 'debian', version: 'unstable' }, 'sid'],
    [{ distro: 'debian', version: 'testing' }, 'testing'],
    [{ distro: 'opensuse' }, 'leap'],
    [{ distro: 'opensuse', version: 'Tumbleweed' }, 'tumbleweed'],
    [{ distro: 'tumbleweed' }, 'tumbleweed'],
    [{ distro: 'openSUSE Tumbleweed', arch: 'x86_64' }, 'tumbleweed'],
    [{ distro: 'opensusetumbleweed' }, 'tumbleweed'],
    [{ distro: 'leap' }, 'leap'],
    [{ distro: 'alpine' }, 'edge'],
    [{ distro: 'mageia' }, 'mga9'],
  ])('a beta or a rolling release wins only when nothing finished fits: %j is %s', (selector, id) => {
    expect(pick(selector, unfinished)).toBe(id)
  })

  test('of what is not finished, the newest wins', () => {
    const selection = unfinished.select({ distro: 'fedora', arch: 'x86_64' })
    expect(selection.found && selection.others.map(({ id }) => id)).toEqual(['rawhide', 'f42-beta'])
  })

  test('the newest files win between equals', () => {
    const index = createTreeIndex([
      fakeTree({ id: 'a', modifiedMs: 1 }),
      fakeTree({ id: 'b', modifiedMs: 2 }),
    ])
    expect(pick({ distro: 'fedora' }, index)).toBe('b')
  })

  test('a tree with a second platform is also a tree of that arch', () => {
    const images = { kernel: 'k', initrd: 'i', others: {} }
    const index = createTreeIndex([
      fakeTree({ id: 'ppc', arch: 'ppc', platforms: { ppc: images, ppc64: images } }),
    ])
    expect(pick({ arch: 'ppc64' }, index)).toBe('ppc')
  })
})

describe('why no tree is found', () => {
  test.each<[TreeSelector, string[]]>([
    [{ distro: 'fedora', version: '41' }, ['Fedora 41', 'fedora/41', 'incoming', '3 files still growing']],
    [{ id: 'fedora/rawhide' }, ['Fedora Rawhide', 'fedora/rawhide', 'broken', 'initrd.img is truncated']],
    [{ distro: 'fedora', version: '12' }, ['fedora', 'version "12"', '40, 39']],
    [{ distro: 'fedora', arch: 's390x' }, ['fedora', 'arch "s390x"', 'x86_64, aarch64']],
    [
      { distro: 'fedora', version: '40', variant: 'KDE' },
      ['fedora 40', 'variant "KDE"', 'Everything, Server, Cloud'],
    ],
    [{ id: 'fedora/1' }, ['"fedora/1"']],
  ])('%j: the reason states %j', (selector, facts) => {
    expect(trees.select(selector).found).toBe(false)
    expect(pick(selector)).toMatch(stating(...facts))
  })

  test('an unknown distribution is named, with those that there are', () => {
    expect(pick({ distro: 'fedroa' })).toMatch(stating('distro "fedroa"', 'fedora'))
  })

  test('for a misspelt distribution the nearest trees are those of the right one', () => {
    const selection = trees.select({ distro: 'fedroa', version: '39' })
    expect(!selection.found && selection.nearest[0]?.id).toBe('fedora/39')
  })

  test('an index without trees finds nothing', () => {
    expect(createTreeIndex([]).select({ distro: 'fedora' })).toEqual({
      found: false,
      why: expect.stringMatching(stating('no trees')),
      nearest: [],
    })
  })

  // All trees of version 40 share as many traits; among them the order of variants decides, and then the arch.
  test('the nearest trees are ready ones that share most of the traits', () => {
    const selection = trees.select({ distro: 'fedora', version: '40', arch: 's390x' })
    expect(!selection.found && selection.nearest.map(({ id }) => id)).toEqual([
      'fedora/40/everything',
      'fedora/40/arm',
      'fedora/40/server',
      'fedora/40/cloud',
      'fedora/39',
    ])
  })
})

test('a misspelt distribution leads to the trees of the one that was probably meant', () => {
  const selection = trees.select({ distro: 'fedoar', version: '40', arch: 'x86_64' })
  expect(!selection.found && selection.nearest.map(({ id }) => id)).toEqual([
    'fedora/40/everything',
    'fedora/40/server',
    'fedora/40/cloud',
  ])
  const far = trees.select({ distro: 'plan9' })
  expect(!far.found && far.nearest).toEqual([])
})

test('of a name that covers several distributions, the one with exactly this name comes first', () => {
  const selection = trees.select({ distro: 'centos' })
  expect(selection.found && [selection.tree, ...selection.others].map(({ id }) => id)).toEqual([
    'centos7',
    'stream9',
  ])
})

test('an index can show the trees as of earlier versions', () => {
  const release = (version: number) => ({ id: 'alma/9', version, folder: `/trees/.treeboot/alma/${version}` })
  const now = fakeTree({ id: 'alma/9', ...alma, version: '9.9', release: release(2) })
  const before = fakeTree({ id: 'alma/9', ...alma, version: '9.8', release: release(1) })
  const index = createTreeIndex([now], [before])
  expect(index.otherVersions(new Map([['alma/9', 2]]))).toEqual(new Map())
  expect(index.otherVersions(new Map([['alma/9', 1]]))).toEqual(new Map([['alma/9', 1]]))
  expect(index.asOf(new Map([['alma/9', 2]]))).toBe(index)
  // There is no version 7 to show.
  expect(index.asOf(new Map([['alma/9', 7]]))).toBe(index)
  const then = index.asOf(new Map([['alma/9', 1]]))
  expect(then.byId('alma/9')?.version).toBe('9.8')
  expect(then.select({ distro: 'alma', version: '9.9' }).found).toBe(false)
  expect(then.inVersion('alma/9', { id: 'alma/9', version: 2 })).toBe(now)
})

test('the list of all trees is sorted by id and has trees of every state', () => {
  expect(trees.all.map(({ id }) => id)).toEqual([...trees.all.map(({ id }) => id)].sort())
  expect(trees.byId('fedora/41')?.state).toBe('incoming')
})

test('the id under which several trees were published together finds the one that boots', () => {
  const release = { id: 'rhel9', version: 3, folder: '/trees/.treeboot/rhel9' }
  const base = fakeTree({ id: 'rhel9/BaseOS/x86_64/os', ...alma, release })
  const stream = fakeTree({ id: 'rhel9/AppStream/x86_64/os', ...alma, release, platforms: {} })
  const index = createTreeIndex([stream, base])
  expect(index.byId('rhel9')?.id).toBe(base.id)
  expect(index.select({ id: 'rhel9' })).toMatchObject({ found: true, tree: { id: base.id } })
  const both = createTreeIndex([base, { ...stream, platforms: base.platforms }])
  expect(both.byId('rhel9')).toBeUndefined()
  const exact = createTreeIndex([base, fakeTree({ id: 'rhel9', ...alma })])
  expect(exact.byId('rhel9')?.id).toBe('rhel9')
})

describe('a tree of packages only never wins over one that boots', () => {
  const deb = { family: 'Debian GNU/Linux', distro: 'debian', arch: 'amd64' } as const
  const rocky = { family: 'Rocky Linux', distro: 'rocky' } as const
  const images = { kernel: 'k', initrd: 'i', others: {} }

  test.each<[string, Parameters<typeof fakeTree>[0][], TreeSelector, string]>([
    [
      'a newer second disc beside a netinst',
      [
        { id: 'dvd2', ...deb, version: '12.5', variant: 'DVD', platforms: {} },
        { id: 'netinst', ...deb, version: '12.5', variant: 'NETINST' },
      ],
      { distro: 'debian', version: '12', arch: 'amd64' },
      'netinst',
    ],
    [
      'a second disc of a newer version',
      [
        { id: 'dvd2', ...deb, version: '12.5', platforms: {} },
        { id: 'dvd1', ...deb, version: '12.4' },
      ],
      { distro: 'debian', version: '12', arch: 'amd64' },
      'dvd1',
    ],
    [
      'AppStream of a newer minor version, without an arch in the question',
      [
        { id: 'appstream', ...rocky, version: '9.5', variant: 'AppStream', platforms: {} },
        { id: 'baseos', ...rocky, version: '9.4', variant: 'BaseOS' },
      ],
      { distro: 'rocky' },
      'baseos',
    ],
    [
      'by a version alone',
      [
        { id: 'appstream', ...rocky, version: '9.5', platforms: {} },
        { id: 'baseos', ...rocky, version: '9.4' },
      ],
      { version: '9' },
      'baseos',
    ],
    [
      'a tree of the arch that boots another one only',
      [
        { id: 'mixed', ...rocky, version: '9.5', platforms: { aarch64: images } },
        { id: 'plain', ...rocky, version: '9.4' },
      ],
      { distro: 'rocky', arch: 'x86_64' },
      'plain',
    ],
    [
      'the initrd of a newer disc beside images for network boot',
      [
        {
          id: 'dvd1',
          ...deb,
          version: '12.5',
          platforms: {
            amd64: { kernel: 'install.amd/vmlinuz', initrd: 'install.amd/initrd.gz', others: {} },
          },
        },
        { id: 'netboot', ...deb, version: '12' },
      ],
      { distro: 'debian', version: '12' },
      'netboot',
    ],
    [
      'a kernel without an initrd is no pair',
      [
        { id: 'half', ...rocky, version: '9.5', platforms: { x86_64: { kernel: 'k', others: {} } } },
        { id: 'plain', ...rocky, version: '9.4' },
      ],
      { distro: 'rocky', arch: 'amd64' },
      'plain',
    ],
    [
      'a distribution with exactly this name, which does not boot, beside one that it covers',
      [
        { id: 'centos', family: 'CentOS', distro: 'centos', version: '9', platforms: {} },
        { id: 'stream', family: 'CentOS Stream', distro: 'centos-stream', version: '9' },
      ],
      { distro: 'centos', version: '9' },
      'stream',
    ],
  ])('%s', (_, some, selector, id) => {
    expect(pick(selector, createTreeIndex(some.map(fakeTree)))).toBe(id)
  })

  test('asked for by its id, it is found', () => {
    const index = createTreeIndex([fakeTree({ id: 'dvd2', ...deb, platforms: {} })])
    expect(pick({ id: 'dvd2' }, index)).toBe('dvd2')
  })
})
