import { describe, expect, test } from 'vitest'
import {
  bootFiles,
  dropMissingPlatforms,
  isPatchedByMastering,
  mainPlatform,
} from '../../../server/core/tree/boot-files.ts'
import { stating } from '../../support/stating.ts'

const tree = {
  arch: 'x86_64',
  stage2: 'images/install.img',
  platforms: {
    xen: { kernel: 'images/xen/vmlinuz', initrd: 'images/xen/initrd.img', others: {} },
    x86_64: { kernel: 'images/pxeboot/vmlinuz', initrd: 'images/pxeboot/initrd.img', others: {} },
  },
}

describe('the files that a boot needs', () => {
  test('the images of the tree’s own arch are required; other platforms and stage 2 are not', () => {
    expect(bootFiles(tree)).toEqual({
      required: ['images/pxeboot/vmlinuz', 'images/pxeboot/initrd.img'],
      optional: ['images/xen/vmlinuz', 'images/xen/initrd.img', 'images/install.img'],
    })
  })

  test('when no platform has the name of the arch, the first one with a kernel is the main one', () => {
    expect(
      mainPlatform({ arch: 'armhfp', platforms: { lpae: { kernel: 'vmlinuz-lpae', others: {} } } }),
    ).toBe('lpae')
    const kernelOf = { kernel: 'vmlinuz', others: {} }
    const withoutKernel = { initrd: 'initrd.img', others: {} }
    expect(mainPlatform({ arch: 'x86_64', platforms: { xen: kernelOf, x86_64: kernelOf } })).toBe('x86_64')
    expect(mainPlatform({ arch: 'x86_64', platforms: { x86_64: withoutKernel, xen: kernelOf } })).toBe('xen')
    expect(mainPlatform({ arch: 'x86_64', platforms: { x86_64: withoutKernel } })).toBeUndefined()
  })

  test('a platform without an initrd needs its kernel alone', () => {
    const kernelOnly = { arch: 'x86_64', platforms: { x86_64: { kernel: 'vmlinuz', others: {} } } }
    expect(bootFiles(kernelOnly)).toEqual({ required: ['vmlinuz'], optional: [] })
    expect(dropMissingPlatforms(kernelOnly, () => false)).toEqual({
      platforms: kernelOnly.platforms,
      problems: [],
    })
  })

  test.each([
    { rootfs: 'v1-rootfs-amd64.squashfs' },
    { 'boot.iso': 'boot.iso', live: 'fcos-40-live-rootfs.x86_64.img' },
  ])('the root file system among %j is one, and its absence does not stop a boot', (others) => {
    const live = { arch: 'x86_64', platforms: { x86_64: { kernel: 'k', initrd: 'i', others } } }
    const [rootfs] = Object.values(others).slice(-1)
    expect(bootFiles(live)).toEqual({ required: ['k', 'i'], optional: [rootfs] })
  })

  test('images that two platforms share are required', () => {
    const shared = { ...tree, platforms: { ...tree.platforms, xen: tree.platforms.x86_64 } }
    expect(bootFiles(shared).optional).toEqual(['images/install.img'])
  })

  test('a repository without images needs no file, not even the stage 2 that it names', () => {
    const repository = { arch: 'x86_64', stage2: 'images/install.img', platforms: {} }
    expect(bootFiles(repository)).toEqual({ required: [], optional: [] })
  })
})

describe('platforms whose images are missing', () => {
  test('are left out, with a problem that names the file', () => {
    const { platforms, problems } = dropMissingPlatforms(tree, (path) => path === 'images/xen/vmlinuz')
    expect(Object.keys(platforms)).toEqual(['x86_64'])
    expect(problems).toEqual([{ message: 'platform xen is not offered: images/xen/vmlinuz is missing' }])
    expect(dropMissingPlatforms(tree, (path) => path.includes('xen')).problems).toEqual([
      { message: expect.stringMatching(stating('xen', 'images/xen/vmlinuz', 'images/xen/initrd.img')) },
    ])
  })

  test('and those whose kernel is for another machine', () => {
    const message = 'is a kernel for aarch64, and the tree says x86_64'
    const foreign = [{ platform: 'xen', path: 'images/xen/vmlinuz', message }]
    const { platforms, problems } = dropMissingPlatforms(tree, () => false, foreign)
    expect(Object.keys(platforms)).toEqual(['x86_64'])
    expect(problems).toEqual([{ message: `platform xen is not offered: images/xen/vmlinuz ${message}` }])
    const main = [{ platform: 'x86_64', path: 'images/pxeboot/vmlinuz', message }]
    expect(Object.keys(dropMissingPlatforms(tree, () => false, main).platforms)).toEqual(['xen', 'x86_64'])
  })

  test('an initrd that no descriptor names is not missing', () => {
    const xen = { kernel: 'images/xen/vmlinuz', others: {} }
    const { problems } = dropMissingPlatforms({ ...tree, platforms: { ...tree.platforms, xen } }, () => true)
    expect(problems).toEqual([{ message: expect.not.stringContaining('undefined') }])
    expect(problems).toEqual([{ message: expect.stringContaining('images/xen/vmlinuz') }])
  })

  test('the main platform stays: without its images the whole tree is broken', () => {
    expect(Object.keys(dropMissingPlatforms(tree, (path) => path.includes('pxeboot')).platforms)).toEqual([
      'xen',
      'x86_64',
    ])
  })
})

test('a file that mastering patches is not one that a boot needs', () => {
  const said = { arch: 'x86_64', platforms: {} }
  expect(isPatchedByMastering('md5sum.txt', said)).toBe(true)
  expect(isPatchedByMastering('boot/efi.img', undefined)).toBe(true)
  const images = { kernel: 'boot/vmlinuz', initrd: 'boot/efi.img', others: {} }
  expect(isPatchedByMastering('boot/efi.img', { ...said, platforms: { x86_64: images } })).toBe(false)
})
