import { describe, expect, test } from 'vitest'
import { concludeTree } from '../../../server/core/tree/conclude.ts'
import { archByKernel, foreignKernels } from '../../../server/core/tree/kernel-arch.ts'
import { stating } from '../../support/stating.ts'

const pxeboot = ['images/pxeboot/vmlinuz', 'images/pxeboot/initrd.img']
const power = ['ppc/ppc64/vmlinuz', 'ppc/ppc64/initrd.img']
const debian = ['install.amd/vmlinuz', 'install.amd/initrd.gz']

function archOf(
  paths: readonly string[],
  archs: readonly string[],
  more: { told?: string; hint?: string } = {},
) {
  const kernels = new Map([[paths[0] ?? '', archs]])
  return archByKernel({ told: '', hintFrom: 'the name', hint: '', paths, kernels, ...more })
}

describe('the arch of a tree whose paths tell none', () => {
  test('is that of the kernel', () => {
    expect(archOf(pxeboot, ['aarch64'])).toEqual({ arch: 'aarch64' })
    expect(archOf(pxeboot, ['x86_64'], { hint: 'amd64' })).toEqual({ arch: 'amd64' })
    expect(archOf(pxeboot, ['x86_64'], { hint: 'x86_64_v3' })).toEqual({ arch: 'x86_64_v3' })
    expect(archOf(pxeboot, ['x86_64', 'i386'], { hint: 'i686' })).toEqual({ arch: 'i686' })
  })

  test('is never guessed', () => {
    const untold = {
      arch: '',
      problem: expect.stringMatching(stating('architecture', 'images/pxeboot/vmlinuz')),
    }
    expect(archOf(pxeboot, [])).toEqual(untold)
    expect(archOf(pxeboot, ['x86_64', 'i386'])).toEqual(untold)
    expect(archOf(pxeboot, ['armhfp', 'armel'])).toEqual(untold)
  })

  test('a header is better than a name, and a descriptor better than both', () => {
    expect(archOf(pxeboot, ['aarch64'], { hint: 'x86_64' })).toEqual({
      arch: 'aarch64',
      problem: expect.stringMatching(stating('name', 'x86_64', 'aarch64')),
    })
    expect(archOf(pxeboot, ['x86_64', 'i386'], { hint: 'arm64' }).arch).toBe('')
    expect(archOf(pxeboot, ['aarch64'], { told: 'x86_64' })).toEqual({ arch: 'x86_64' })
    expect(archOf(pxeboot, [], { hint: 'arm64' })).toEqual({ arch: 'arm64' })
  })

  test('paths that tell one are left to it', () => {
    expect(archOf(debian, ['aarch64'])).toEqual({ arch: '' })
    expect(archOf(debian, ['x86_64'], { hint: 'i386' })).toEqual({ arch: 'i386' })
  })

  test('little-endian POWER in the folder of its predecessor is known by its header', () => {
    expect(archOf(power, ['ppc64le'])).toEqual({ arch: 'ppc64le' })
    expect(archOf(power, ['ppc64'])).toEqual({ arch: '' })
  })
})

describe('a kernel of another architecture than the tree says', () => {
  const platforms = (names: string) =>
    Object.fromEntries(names.split(' ').map((name) => [name, { kernel: name, initrd: 'i', others: {} }]))
  const foreign = (arch: string, names: string, kernels: Record<string, string[]>) =>
    foreignKernels({ arch, platforms: platforms(names) }, new Map(Object.entries(kernels))).map(
      ({ platform }) => platform,
    )

  test.each([
    ['x86_64', 'x86_64', ['aarch64'], ['x86_64']],
    ['amd64', 'amd64', ['x86_64'], []],
    ['i386', 'i386', ['x86_64'], ['i386']],
    ['x86_64', 'x86_64', ['x86_64', 'i386'], []],
    ['x86_64_v2', 'x86_64_v2', ['x86_64'], []],
    ['armv7l', 'armv7l', ['armhfp', 'armel'], []],
    // The kernel of Xen or with LPAE is that of the tree's own architecture.
    ['x86_64', 'xen', ['x86_64'], []],
    ['x86_64', 'xen', ['s390x'], ['xen']],
    ['armhfp', 'lpae', ['armhfp', 'armel'], []],
    ['armhfp', 'lpae', ['aarch64'], ['lpae']],
    ['ppc64le', 'ppc64', ['ppc64le'], []],
    ['ppc64le', 'ppc64', ['ppc64'], ['ppc64']],
    ['ppc', 'ppc64', ['ppc64'], []],
    ['s390x', 's390x', [], []],
    ['', '', ['x86_64'], []],
  ])('%s, platform %s, kernel for %j: %j', (arch, platform, archs, found) => {
    expect(foreign(arch, platform, { [platform]: archs })).toEqual(found)
  })
})

describe('what is concluded with the headers of kernels', () => {
  const sizes = new Map(pxeboot.map((path): [string, number] => [path, 9]))
  const conclude = (name: string, archs: string[], descriptors: Record<string, string> = {}) =>
    concludeTree({
      name,
      descriptors: new Map(Object.entries(descriptors).map(([path, text]) => [path, Buffer.from(text)])),
      sizes,
      kernels: new Map([['images/pxeboot/vmlinuz', archs]]),
      modifiedMs: 0,
      problems: [],
    })

  test('a tree without a name is of the arch of its kernel', () => {
    const tree = conclude('lab/rescue', ['aarch64'])
    expect(tree).toMatchObject({ arch: 'aarch64', problems: [] })
    expect(Object.keys(tree?.platforms ?? {})).toEqual(['aarch64'])
  })

  test('the fault of a descriptor is named with the kernel', () => {
    const treeinfo = [
      '[general]\nfamily = Fedora\nversion = 40\narch = x86_64',
      '[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n',
    ].join('\n')
    expect(conclude('x', ['aarch64'], { '.treeinfo': treeinfo })?.problems).toContainEqual({
      file: 'images/pxeboot/vmlinuz',
      message: expect.stringMatching(stating('aarch64', 'x86_64')),
    })
    expect(conclude('x', ['x86_64'], { '.treeinfo': treeinfo })?.problems).toEqual([])
  })
})
