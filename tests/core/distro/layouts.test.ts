import { describe, expect, test } from 'vitest'
import { bootImagesIn, isTellingFolder, mayBeKernel, stage2In } from '../../../server/core/distro/layouts.ts'

/** The kernel's path, the initrd's path, and the platform and family that they tell: no tree's arch is known. */
type Place = [kernel: string, initrd: string, platform: string, family: string]

const places: readonly Place[] = [
  ['images/pxeboot/vmlinuz', 'images/pxeboot/initrd.img', '', ''],
  ['images/pxeboot/vmlinuz-lpae', 'images/pxeboot/initrd-lpae.img', 'lpae', ''],
  ['images/xen/vmlinuz', 'images/xen/initrd.img', 'xen', ''],
  ['images/pxeboot/vmlinuz-xen', 'images/pxeboot/initrd-xen.img', 'xen', ''],
  ['images/pxeboot/vmlinuz-xen', 'images/pxeboot/initrd-xen', 'xen', ''],
  ['images/kernel.img', 'images/initrd.img', 's390x', ''],
  ['ppc/ppc64/vmlinuz', 'ppc/ppc64/initrd.img', 'ppc64', ''],
  ['ppc/ppc64/vmlinuz', 'ppc/ppc64/ramdisk.image.gz', 'ppc64', ''],
  ['ppc/ppc32/vmlinuz', 'ppc/ppc32/ramdisk.image.gz', 'ppc', ''],
  // debian-installer of Debian and Ubuntu
  ['netboot/debian-installer/arm64/linux', 'netboot/debian-installer/arm64/initrd.gz', 'arm64', ''],
  [
    'x/netboot/debian-installer/ppc64el/vmlinux',
    'x/netboot/debian-installer/ppc64el/initrd.gz',
    'ppc64el',
    '',
  ],
  [
    'install/netboot/ubuntu-installer/amd64/linux',
    'install/netboot/ubuntu-installer/amd64/initrd.gz',
    'amd64',
    'Ubuntu',
  ],
  ['current/images/netboot/xen/vmlinuz', 'current/images/netboot/xen/initrd.gz', 'xen', ''],
  ['current/images/generic/kernel.debian', 'current/images/generic/initrd.debian', 's390x', ''],
  ['install/generic/kernel.ubuntu', 'install/generic/initrd.ubuntu', 's390x', 'Ubuntu'],
  ['netboot/vmlinuz', 'netboot/initrd.gz', '', ''],
  ['debian-installer/amd64/linux', 'debian-installer/amd64/initrd.gz', 'amd64', 'Debian'],
  ['ubuntu-installer/amd64/linux', 'ubuntu-installer/amd64/initrd.gz', 'amd64', 'Ubuntu'],
  ['amd64/linux', 'amd64/initrd', 'amd64', 'Ubuntu'],
  ['arm64/linux', 'arm64/initrd.gz', 'arm64', 'Ubuntu'],
  ['casper/vmlinuz', 'casper/initrd', '', 'Ubuntu'],
  ['casper/vmlinuz.efi', 'casper/initrd.lz', '', 'Ubuntu'],
  // the folders of Debian's media
  ['install.amd/vmlinuz', 'install.amd/initrd.gz', 'amd64', 'Debian'],
  ['install.386/vmlinuz', 'install.386/initrd.gz', 'i386', 'Debian'],
  ['install.a64/vmlinuz', 'install.a64/initrd.gz', 'arm64', 'Debian'],
  ['install.arm/vmlinuz', 'install.arm/initrd.gz', 'armhf', 'Debian'],
  ['install.ppc/vmlinux', 'install.ppc/initrd.gz', 'powerpc', 'Debian'],
  ['install.s390x/vmlinuz', 'install.s390x/initrd.gz', 's390x', 'Debian'],
  ['install.amd/xen/vmlinuz', 'install.amd/xen/initrd.gz', 'xen', 'Debian'],
  ['boot/linux26', 'boot/initrd.img', '', 'Proxmox'],
  // SUSE
  ['boot/x86_64/loader/linux', 'boot/x86_64/loader/initrd', 'x86_64', ''],
  ['boot/ppc64le/linux', 'boot/ppc64le/initrd', 'ppc64le', 'openSUSE'],
  ['boot/s390x/vmrdr.ikr', 'boot/s390x/initrd', 's390x', 'openSUSE'],
  ['boot/x86_64/vmlinuz-xen', 'boot/x86_64/initrd-xen', 'xen', 'openSUSE'],
  ['boot/loader/linux64', 'boot/loader/initrd64', 'x86_64', 'openSUSE'],
  ['boot/loader/linux', 'boot/loader/initrd', '', 'openSUSE'],
  ['suseboot/linux64', 'suseboot/initrd64', 'ppc64', 'openSUSE'],
  // others
  ['isolinux/x86_64/vmlinuz', 'isolinux/x86_64/all.rdz', 'x86_64', 'Mageia'],
  ['arch/boot/x86_64/vmlinuz-linux', 'arch/boot/x86_64/initramfs-linux.img', 'x86_64', 'Arch Linux'],
  ['arch/boot/x86_64/vmlinuz-linux-lts', 'arch/boot/x86_64/archiso.img', 'x86_64', 'Arch Linux'],
  ['arch/boot/i686/vmlinuz', 'arch/boot/i686/archiso.img', 'i686', 'Arch Linux'],
  ['boot/vmlinuz-virt', 'boot/initramfs-virt', '', 'Alpine Linux'],
  ['boot/vmlinuz-grsec', 'boot/initramfs-grsec.gz', '', 'Alpine Linux'],
  ['boot/vmlinuz-rpi4', 'boot/initramfs-rpi4', '', 'Alpine Linux'],
  ['alt0/vmlinuz', 'alt0/full.cz', '', 'ALT'],
  ['syslinux/alt0/vmlinuz', 'syslinux/alt0/full.cz', '', 'ALT'],
  ['rhcos-4.16-live-kernel-aarch64', 'rhcos-4.16-live-initramfs.aarch64.img', 'aarch64', 'Fedora CoreOS'],
  ['live-kernel.x86_64', 'live-initramfs-x86_64.img', 'x86_64', 'Fedora CoreOS'],
  // trees of many kinds
  ['install/vmlinuz', 'install/initrd.gz', '', ''],
  ['install/powerpc64/vmlinux', 'install/powerpc64/initrd.gz', 'powerpc64', ''],
  ['install/powerpc/vmlinux', 'install/powerpc/initrd.gz', 'powerpc', ''],
  ['live/vmlinuz', 'live/initrd.img', '', ''],
  ['live/vmlinuz1', 'live/initrd1.img', '', ''],
  ['live/vmlinuz-6.1.0-18-amd64', 'live/initrd.img-6.1.0-18-amd64', '', ''],
  ['live/vmlinuz-5', 'live/initrd.gz', '', ''],
  ['isolinux/vmlinuz', 'isolinux/initrd.img', '', ''],
  ['isolinux/vmlinuz', 'isolinux/all.rdz', '', ''],
  ['boot/bzImage', 'boot/initrd', '', ''],
  ['boot/kernel', 'boot/initramfs.img', '', ''],
  ['vmlinuz', 'initrd.xz', '', ''],
  ['linux', 'initrd.gz', '', ''],
]

describe('the places of kernel and initrd', () => {
  test.each(places)('%s with %s', (kernel, initrd, platform, family) => {
    expect(bootImagesIn([initrd, kernel], '')).toEqual({
      platforms: { [platform]: { kernel, initrd, others: {} } },
      arch: ['', 'xen', 'lpae'].includes(platform) ? '' : platform,
      family,
    })
  })

  test.each(places)('%s alone is not an image to boot, nor is %s', (kernel, initrd) => {
    expect(bootImagesIn([kernel], '').platforms).toEqual({})
    expect(bootImagesIn([initrd], '').platforms).toEqual({})
  })

  // The images of debian-installer may be anywhere in a mirror.
  const fixed = places.filter(([kernel]) => !/(?:netboot|generic)\//.test(kernel))
  test.each(fixed)('%s in another folder is not an image to boot', (kernel, initrd) => {
    const moved = [kernel, initrd].map((path) => `old/copy/${path}`)
    expect(bootImagesIn(moved, '').platforms).toEqual({})
  })

  test.each(places)('a scan that begins at the tree finds %s', (kernel) => {
    const [first = '', ...more] = kernel.split('/').filter((part) => part !== 'x')
    const folders = more.length > 0 ? [first, ...more.slice(0, -1)] : []
    for (const folder of folders) expect(isTellingFolder(folder), folder).toBe(true)
    if (more.length === 0) expect(mayBeKernel(first), first).toBe(true)
  })

  test.each([
    'boot/grub/linux boot/grub/initrd', // no architecture
    'netboot/debian-installer/hppa2/linux netboot/debian-installer/hppa2/initrd.gz',
    'images/pxeboot/vmlinuz.old images/pxeboot/initrd.img',
    'boot/vmlinuz-custom boot/initramfs-custom',
    'casper/hwe-vmlinuz casper/initrd',
    'install.xyz/vmlinuz install.xyz/initrd.gz',
    'images/pxeboot/vmlinuz-5.10.134-13.an8.x86_64 images/pxeboot/initrd-5.10.134-12.an8.x86_64.img',
    'kernels/huge.s/bzImage kernels/huge.s/initrd.img', // Slackware has one initrd, in isolinux/
    'casper_pop-os_22.04/hwe-vmlinuz casper_pop-os_22.04/initrd.gz',
    'harvester-v1.3.0-vmlinuz-amd64 harvester-v1.2.0-initrd-amd64',
    'vmlinuz-amd64 initramfs-arm64.xz',
  ])('%s is not a pair to boot', (paths) => {
    expect(bootImagesIn(paths.split(' '), '').platforms).toEqual({})
  })
})

describe('what a platform has beside kernel and initrd', () => {
  test.each([
    [
      'images/kernel.img images/initrd.img',
      { 'generic.ins': 'generic.ins', 'generic.prm': 'images/generic.prm' },
    ],
    ['boot/linux_vm boot/root.bin', { 'd390.ins': 'd390.ins', parmfile: 'boot/parmfile' }],
    [
      'boot/kernel.ubuntu boot/initrd.ubuntu',
      { 'ubuntu.ins': 'ubuntu.ins', parmfile: 'boot/parmfile.ubuntu' },
    ],
    ['s390x/kernel.ubuntu s390x/initrd.ubuntu', { parmfile: 's390x/parmfile.ubuntu' }],
    ['boot/s390x/linux boot/s390x/initrd', { 'suse.ins': 'suse.ins', parmfile: 'boot/s390x/parmfile' }],
    ['boot/vmlinuz-lts boot/initramfs-lts', { modloop: 'boot/modloop-lts' }],
    ['fcos-live-kernel.s390x fcos-live-initramfs.s390x.img', { rootfs: 'fcos-live-rootfs.s390x.img' }],
    [
      'harvester-v1.3.0-vmlinuz-amd64 harvester-v1.3.0-initrd-amd64',
      { rootfs: 'harvester-v1.3.0-rootfs-amd64.squashfs' },
    ],
  ])('%s', (pair, others) => {
    const found = (more: readonly string[]) =>
      Object.values(bootImagesIn([...pair.split(' '), ...more], '').platforms).map((images) => images.others)
    expect(found(Object.values(others))).toEqual([others])
    expect(found([])).toEqual([{}])
  })
})

describe('the second stage of a tree without a descriptor', () => {
  test.each([
    ['images/install.img LiveOS/squashfs.img', 'images/install.img'],
    ['casper/minimal.squashfs casper/filesystem.squashfs', 'casper/filesystem.squashfs'],
    ['casper/ubuntu-server-minimal.squashfs', 'casper/ubuntu-server-minimal.squashfs'],
    ['casper_pop-os_22.04_amd64/filesystem.squashfs', 'casper_pop-os_22.04_amd64/filesystem.squashfs'],
    ['live/grml64-full/grml64-full.squashfs', 'live/grml64-full/grml64-full.squashfs'],
    ['live/grml64-full/grml32-full.squashfs', undefined],
    ['live/filesystem.squashfs', 'live/filesystem.squashfs'],
    ['boot/x/live/filesystem.squashfs', undefined],
  ])('%s: %s', (paths, stage2) => {
    expect(stage2In(paths.split(' '))).toBe(stage2)
  })
})

describe('the architecture of a tree and of its images', () => {
  const platformsOf = (paths: string, arch: string) =>
    Object.keys(bootImagesIn(paths.split(' '), arch).platforms)

  test('a pair without an architecture is for that of the tree, as the tree spells it', () => {
    expect(platformsOf('images/pxeboot/vmlinuz images/pxeboot/initrd.img', 'i686')).toEqual(['i686'])
    expect(platformsOf('install.amd/vmlinuz install.amd/initrd.gz', 'x86_64')).toEqual(['x86_64'])
    expect(platformsOf('install.amd/vmlinuz install.amd/initrd.gz', 'i386')).toEqual(['amd64'])
    expect(platformsOf('images/xen/vmlinuz images/xen/initrd.img', 'x86_64')).toEqual(['xen'])
  })

  test('little-endian POWER kept the folder of big-endian POWER', () => {
    const paths = 'ppc/ppc64/vmlinuz ppc/ppc64/initrd.img'
    expect(platformsOf(paths, 'ppc64le')).toEqual(['ppc64le'])
    expect(platformsOf(paths, 'ppc64el')).toEqual(['ppc64el'])
    expect(platformsOf(paths, 'ppc64')).toEqual(['ppc64'])
    expect(platformsOf(paths, 'x86_64')).toEqual(['ppc64'])
  })

  test('on a disc for two architectures, the Xen kernel is that of the tree’s own', () => {
    const xen = (folder: string) => [`install.${folder}/xen/vmlinuz`, `install.${folder}/xen/initrd.gz`]
    const kernelFor = (arch: string) =>
      bootImagesIn([...xen('386'), ...xen('amd')], arch).platforms.xen?.kernel
    expect(kernelFor('amd64')).toBe('install.amd/xen/vmlinuz')
    expect(kernelFor('i386')).toBe('install.386/xen/vmlinuz')
    expect(kernelFor('')).toBe('install.386/xen/vmlinuz')
    expect(kernelFor('arm64')).toBeUndefined()
  })

  test('the images tell the architecture: the tree’s own if it is there, else the first', () => {
    const both = ['i386', 'x86_64'].flatMap((arch) => [
      `boot/${arch}/loader/linux`,
      `boot/${arch}/loader/initrd`,
    ])
    expect(bootImagesIn(both, '').arch).toBe('i386')
    expect(bootImagesIn(both, 'amd64').arch).toBe('amd64')
    expect(bootImagesIn(both, 'aarch64').arch).toBe('i386')
    expect(bootImagesIn([], 'x86_64')).toEqual({ platforms: {}, arch: '', family: '' })
  })

  test('the first place that counts wins, and the best initrd beside its kernel', () => {
    const paths = [
      'vmlinuz',
      'initrd.img',
      'initrd',
      'isolinux/vmlinuz',
      'isolinux/initrd.gz',
      'isolinux/initrd.img',
    ]
    expect(bootImagesIn(paths, 'x86_64').platforms).toEqual({
      x86_64: { kernel: 'isolinux/vmlinuz', initrd: 'isolinux/initrd.img', others: {} },
    })
    expect(bootImagesIn(paths.slice(0, 3), '').platforms['']?.initrd).toBe('initrd')
  })
})

test('folders named after an architecture may hold images; other folders do not', () => {
  for (const name of ['x86_64', 'amd64', 'images', 'pxeboot', '.disk', 'media.1', 'current', 'daily'])
    expect(isTellingFolder(name), name).toBe(true)
  for (const name of ['Packages', 'System', 'fedora', 'constructor', ''])
    expect(isTellingFolder(name), name).toBe(false)
  for (const name of ['vmlinux', 'bzImage', 'kernel.img', 'linux']) expect(mayBeKernel(name), name).toBe(true)
  for (const name of ['initrd', 'linux.c', 'my-vmlinuz', 'kernels', ''])
    expect(mayBeKernel(name), name).toBe(false)
})
