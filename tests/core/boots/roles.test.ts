import { expect, test } from 'vitest'
import { guestOfAnswer, isLooked, roleOf } from '../../../server/core/boots/roles.ts'

test.each([
  // What firmware and loaders asked for in recorded boots.
  ['/snponly.efi', 'loader'],
  ['pxelinux.0', 'loader'],
  ['/ldlinux.c32', 'loader'],
  ['/grub/x86_64-efi/command.lst', 'loader'],
  ['//grubx64.efi', 'loader'],
  ['/undionly.kkpxe', 'loader'],
  ['/boot.ipxe', 'configuration'],
  ['/pxelinux.cfg/01-52-54-00-aa-bb-01', 'configuration'],
  ['/grub/grub.cfg', 'configuration'],
  ['/boot/by/52-54-00-aa-bb-01/ipxe', 'configuration'],
  ['/trees/fedora-40/images/pxeboot/vmlinuz', 'kernel'],
  [
    '/trees/debian/dists/bookworm/main/installer-amd64/current/images/netboot/debian-installer/amd64/linux',
    'kernel',
  ],
  ['/trees/suse/boot/x86_64/loader/linux', 'kernel'],
  ['/trees/fedora-40/images/pxeboot/initrd.img', 'initrd'],
  ['/trees/mageia/isolinux/x86_64/all.rdz', 'initrd'],
  ['/trees/fedora-40/images/install.img', 'stage2'],
  ['/trees/alma/LiveOS/squashfs.img', 'stage2'],
  ['/trees/suse/boot/x86_64/root', 'stage2'],
  ['/trees/ubuntu-24.04.1-live-server-amd64.iso', 'stage2'],
  ['/trees/fcos/fedora-coreos-40-live-rootfs.x86_64.img', 'stage2'],
  ['/ks/web01', 'answer-file'],
  ['/ks', 'answer-file'],
  ['/ks/web01/user-data', 'answer-file'],
  ['/ks/web01/meta-data', 'metadata'],
  ['/trees/fedora-40/Packages/k/kernel-6.8.rpm', 'package'],
  ['/trees/debian/pool/main/l/linux/linux-image-6.1_amd64.deb', 'package'],
  ['/trees/debian/pool/main/p/partman/partman-auto_1_all.udeb', 'package'],
  ['/trees/fedora-40/.treeinfo', 'metadata'],
  ['/trees/fedora-40/images/updates.img', 'metadata'],
  ['/trees/fedora-40/repodata/repomd.xml', 'metadata'],
  ['/', 'metadata'],
])('%s is a %s', (path, role) => {
  expect(roleOf(path)).toBe(role)
})

test('a kernel with a name of its own is known by the path that was offered', () => {
  expect(roleOf('/trees/x/boot/gentoo')).toBe('metadata')
  expect(roleOf('/trees/x/boot/gentoo', '/trees/x/boot/gentoo')).toBe('kernel')
})

test('the guest of an answer file is in its path', () => {
  expect(guestOfAnswer('/ks/web01/user-data')).toBe('web01')
  expect(guestOfAnswer('/ks')).toBeUndefined()
})

test('names that loaders look for and do not need are known, and no others', () => {
  for (const path of [
    'revocations_sku.efi',
    '/shim_certificate_0.efi',
    '/grub/x86_64-efi/fs.lst',
    '/autoexec.ipxe',
  ])
    expect(isLooked(path), path).toBe(true)
  for (const path of ['/grubx64.efi', '/snponly.efi', '/pxelinux.0']) expect(isLooked(path), path).toBe(false)
})
