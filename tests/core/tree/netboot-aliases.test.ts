import { describe, expect, test } from 'vitest'
import { needsTreeinfo, netbootAliases } from '../../../server/core/tree/netboot-aliases.ts'
import type { Tree } from '../../../server/core/tree/tree.ts'
import { makeTree } from '../../support/boot-inputs.ts'

const images = { kernel: 'install.amd/vmlinuz', initrd: 'install.amd/initrd.gz', others: {} }
function medium(arch: string, more: Partial<Tree> = {}): Tree {
  return makeTree('t', {
    era: 'disk-info',
    family: 'Debian GNU/Linux',
    arch,
    platforms: { [arch]: images },
    ...more,
  })
}
/** The paths that a listing shows, and those that it does not. */
function pathsOf(tree: Tree): { shown: string[]; hidden: string[] } {
  const paths = (listed: boolean) =>
    netbootAliases(tree)
      .filter((alias) => alias.listed === listed)
      .map(({ path }) => path)
  return { shown: paths(true), hidden: paths(false) }
}

describe('the paths at which virt-install looks in a medium of Debian or Ubuntu', () => {
  const i386 = (name: string) =>
    ['linux', 'initrd.gz'].map((file) => `install/netboot/${name}-installer/i386/${file}`)

  // virtinst/install/urldetect.py of virt-manager 4.1, class DebianDistro.
  test.each([
    ['amd64', 'amd64/linux', 'amd64/initrd.gz'],
    ['x86_64', 'amd64/linux', 'amd64/initrd.gz'],
    ['arm64', 'arm64/linux', 'arm64/initrd.gz'],
    ['armhf', 'armhf/linux', 'armhf/initrd.gz'],
    ['ppc64el', 'ppc64el/vmlinux', 'ppc64el/initrd.gz'],
    ['ppc64le', 'ppc64el/vmlinux', 'ppc64el/initrd.gz'],
    ['riscv64', 'riscv64/linux', 'riscv64/initrd.gz'],
  ])('%s: %s and %s, and those of i386 without a listing', (arch, kernel, initrd) => {
    expect(pathsOf(medium(arch))).toEqual({
      shown: [kernel, initrd].map((path) => `install/netboot/debian-installer/${path}`),
      hidden: i386('debian'),
    })
  })

  test('each leads to the kernel or the initrd of the tree', () => {
    for (const { path, target } of netbootAliases(medium('amd64')))
      expect(target).toBe(path.endsWith('initrd.gz') ? images.initrd : images.kernel)
    expect(pathsOf(medium('i386'))).toEqual({ shown: i386('debian'), hidden: [] })
    expect(pathsOf(medium('amd64', { family: 'Ubuntu' })).hidden).toEqual(i386('ubuntu'))
  })

  test('s390x has names of its own', () => {
    const generic = (name: string) => ({
      shown: [`install/generic/kernel.${name}`, `install/generic/initrd.${name}`],
      hidden: i386(name),
    })
    expect(pathsOf(medium('s390x'))).toEqual(generic('debian'))
    expect(pathsOf(medium('s390x', { family: 'Ubuntu-Server' }))).toEqual(generic('ubuntu'))
  })

  test('the pair for Xen is there when the medium has one', () => {
    const xen = { kernel: 'install.amd/xen/vmlinuz', initrd: 'install.amd/xen/initrd.gz', others: {} }
    const aliases = netbootAliases(medium('amd64', { platforms: { amd64: images, xen } }))
    expect(aliases.filter(({ path }) => path.includes('xen'))).toEqual([
      { path: 'install/netboot/xen/vmlinuz', target: xen.kernel, listed: true },
      { path: 'install/netboot/xen/initrd.gz', target: xen.initrd, listed: true },
    ])
  })

  test.each([
    ['a tree with .treeinfo', { era: 'treeinfo-1.2' }],
    ['a medium of another distribution', { family: 'Kali Linux' }],
    ['a medium without a kernel', { platforms: {} }],
    ['a kernel without an initrd', { platforms: { amd64: { kernel: 'k', others: {} } } }],
  ] as const)('%s has none', (_title, more) => {
    expect(netbootAliases(medium('amd64', more))).toEqual([])
  })
})

test.each([
  ['treeinfo-1.2', false],
  ['treeinfo-0.0', false],
  ['suse-content', false],
  ['manifest', false],
  ['mageia-version', false],
  ['suse-media', true],
  ['discinfo', true],
  ['disk-info', true],
  ['version-info', true],
  ['files-only', true],
] as const)('a tree known by %s needs a .treeinfo for virt-install: %s', (era, needed) => {
  expect(needsTreeinfo(medium('amd64', { era }))).toBe(needed)
  expect(needsTreeinfo(medium('amd64', { era, platforms: {} }))).toBe(false)
  expect(needsTreeinfo(medium('amd64', { era, platforms: { amd64: { kernel: 'k', others: {} } } }))).toBe(
    false,
  )
})
