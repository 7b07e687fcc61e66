import { describe, expect, test } from 'vitest'
import { gatherEvidence } from '../../../server/catalog/scan/gather.ts'
import { formatCmdline } from '../../../server/core/boot/kernel-args.ts'
import { planTree } from '../../../server/core/boot/plan-tree.ts'
import { distroOf } from '../../../server/core/distro/distro.ts'
import { concludeTree } from '../../../server/core/tree/conclude.ts'
import type { Tree } from '../../../server/core/tree/tree.ts'
import { memorySource } from '../../../server/files/memory.ts'
import { cleanPath } from '../../../server/files/path.ts'
import { makeGuest, makeTree, urls } from '../../support/boot-inputs.ts'

/** Trees, each with one file or folder less than its installer needs. */

interface Doomed {
  readonly name: string
  readonly files: readonly string[]
  /** Makes it whole. */
  readonly lacks: string
  readonly says: string | RegExp
  /** Arguments of the guest, each of which is enough. */
  readonly own: readonly string[]
  readonly treeinfo?: string
}

const pair = ['images/pxeboot/vmlinuz', 'images/pxeboot/initrd.img']
const treeinfo = (family: string, version: string, more = '') =>
  `[general]\nfamily = ${family}\nversion = ${version}\narch = x86_64\n${more}` +
  '[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n'

const doomed: readonly Doomed[] = [
  {
    name: 'fedora-coreos-40',
    files: ['fedora-coreos-40-live-kernel-x86_64', 'fedora-coreos-40-live-initramfs.x86_64.img'],
    lacks: 'fedora-coreos-40-live-rootfs.x86_64.img',
    says: 'it lacks its root file system (fedora-coreos-40-live-rootfs.x86_64.img): copy that file',
    own: ['coreos.live.rootfs_url=http://192.0.2.9/rootfs.img'],
  },
  {
    name: 'fcos',
    files: pair,
    treeinfo: treeinfo('Fedora CoreOS', '40'),
    lacks: 'images/pxeboot/rootfs.img',
    says: 'it lacks its root file system (images/pxeboot/rootfs.img): copy that file',
    own: ['coreos.live.rootfs_url=http://192.0.2.9/rootfs.img'],
  },
  {
    name: 'fedora-40',
    files: [...pair, 'repodata/repomd.xml'],
    lacks: 'images/install.img',
    says: 'it lacks its second stage (images/install.img or LiveOS/squashfs.img): copy that file',
    own: ['inst.stage2=http://192.0.2.9/os', 'inst.repo=http://192.0.2.9/os'],
  },
  {
    name: 'rocky-9.4',
    files: [...pair, 'repodata/repomd.xml'],
    treeinfo: treeinfo('Rocky Linux', '9.4', '[stage2]\nmainimage = images/install.img\n'),
    lacks: 'images/install.img',
    says: 'it lacks its second stage (images/install.img): copy that file',
    own: ['inst.stage2=http://192.0.2.9/os'],
  },
  {
    name: 'opensuse-leap-15.6-netinst',
    files: ['boot/x86_64/loader/linux', 'boot/x86_64/loader/initrd', 'boot/x86_64/root'],
    lacks: 'repodata/repomd.xml',
    says: /it has no packages.*"install=http/,
    own: ['install=http://192.0.2.9/oss/'],
  },
  {
    name: 'mageia-9',
    files: ['isolinux/x86_64/vmlinuz', 'isolinux/x86_64/all.rdz', 'install/stage2/mdkinst.sqfs'],
    lacks: 'media/core/media_info/hdlist.cz',
    says: /it has no packages.*"automatic=method:http/,
    own: ['automatic=method:http,network:dhcp,server:192.0.2.9,directory:/mageia'],
  },
  {
    name: 'ubuntu-24.04',
    files: ['casper/vmlinuz', 'casper/initrd'],
    lacks: 'casper/installer.squashfs',
    says: 'it lacks its live system (casper/*.squashfs): copy that file',
    own: ['url=http://192.0.2.9/live.iso', 'nfsroot=192.0.2.9:/noble'],
  },
  {
    name: 'linuxmint-22',
    files: ['casper/vmlinuz', 'casper/initrd.lz'],
    lacks: 'casper/filesystem.squashfs',
    says: 'it lacks its live system (casper/*.squashfs): copy that file',
    own: ['url=http://192.0.2.9/mint.iso'],
  },
  {
    name: 'debian-12-live',
    files: ['live/vmlinuz', 'live/initrd.img'],
    lacks: 'live/filesystem.squashfs',
    says: 'it lacks its live system (live/filesystem.squashfs): copy that file',
    own: ['fetch=http://192.0.2.9/f.squashfs', 'nfsroot=192.0.2.9:/live'],
  },
  {
    name: 'grml64-2024.02',
    files: ['boot/grml64full/vmlinuz', 'boot/grml64full/initrd.img'],
    lacks: 'live/grml64-full/grml64-full.squashfs',
    says: 'it lacks its live system',
    own: ['fetch=http://192.0.2.9/f.squashfs'],
  },
  {
    name: 'fedora-20-live',
    files: ['isolinux/vmlinuz0', 'isolinux/initrd0.img'],
    lacks: 'LiveOS/squashfs.img',
    says: 'it lacks its live system (LiveOS/squashfs.img): copy that file',
    own: ['root=live:http://192.0.2.9/squashfs.img'],
  },
  {
    name: 'opensuse-leap-16.0',
    files: ['boot/x86_64/loader/linux', 'boot/x86_64/loader/initrd'],
    lacks: 'LiveOS/squashfs.img',
    says: 'it lacks its live system (LiveOS/squashfs.img): copy that file',
    own: ['root=live:http://192.0.2.9/squashfs.img'],
  },
  {
    name: 'archlinux-2026.06.01',
    files: ['arch/boot/x86_64/vmlinuz-linux', 'arch/boot/x86_64/initramfs-linux.img'],
    lacks: 'arch/x86_64/airootfs.erofs',
    says: 'it lacks its live system (arch/x86_64/airootfs.sfs): copy that file',
    own: ['archiso_http_srv=http://192.0.2.9/', 'archiso_nfs_srv=192.0.2.9:/arch'],
  },
  {
    name: 'alpine-3.20',
    files: ['boot/vmlinuz-lts', 'boot/initramfs-lts', 'apks/x86_64/APKINDEX.tar.gz'],
    lacks: 'boot/modloop-lts',
    says: 'it lacks its kernel modules (boot/modloop-lts): copy that file',
    own: ['modloop=http://192.0.2.9/modloop-lts'],
  },
  {
    name: 'alpine-netboot-3.20',
    files: ['boot/vmlinuz-lts', 'boot/initramfs-lts', 'boot/modloop-lts'],
    lacks: 'apks/x86_64/APKINDEX.tar.gz',
    says: /it has no packages.*"alpine_repo=http/,
    own: ['alpine_repo=http://192.0.2.9/main', 'root=/dev/vda3'],
  },
]

async function treeWith(files: readonly string[], { name, treeinfo: text }: Doomed): Promise<Tree> {
  const all = Object.fromEntries(files.map((path) => [`/${name}/${path}`, path]))
  const source = memorySource({ ...all, ...(text !== undefined && { [`/${name}/.treeinfo`]: text }) })
  const evidence = await gatherEvidence(source, cleanPath(`/${name}`), name)
  const description = evidence && concludeTree(evidence)
  if (!description) throw new Error(`${name} is no tree`)
  const { stage2: _, ...made } = makeTree(name)
  return { ...made, ...description, distro: distroOf(description) }
}

function planned(tree: Tree, args: readonly string[] = [], removals: readonly string[] = []): string {
  const taken = removals.map((value) => ({ value, from: 'test' }))
  const guest = makeGuest('web01', { template: 'x', args, removals: taken })
  const plan = planTree(tree, { urls, virt: 'hvm', guest })
  return plan.kind === 'install' ? formatCmdline(plan.args) : `refused: ${plan.why}`
}

describe.each(doomed)('$name without $lacks', (each) => {
  test('is refused, and the message says what to do', async () => {
    const tree = await treeWith(each.files, each)
    const told = planned(tree)
    expect(told).toMatch(/^refused: /)
    if (typeof each.says === 'string') expect(told).toContain(each.says)
    else expect(told).toMatch(each.says)
    // A lookup without a guest names kernel and initrd, and says what they lack.
    const found = planTree(tree, { urls, virt: 'hvm', isLookup: true })
    expect(found).toMatchObject({ kind: 'install', lacks: told.replace(/^refused: tree \S+: /, '') })
    // Nor is it in a menu.
    expect(planTree(tree, { urls, virt: 'hvm' })).toMatchObject({ kind: 'refuse' })
  })

  test('installs with that file', async () => {
    const tree = await treeWith([...each.files, each.lacks], each)
    expect(planned(tree)).not.toMatch(/^refused/)
    expect(tree.problems.map(({ message }) => message).join()).not.toMatch(/it lacks|is missing/)
  })

  test.each(each.own.map((arg) => [arg]))('installs with %s', async (arg) => {
    const tree = await treeWith(each.files, each)
    expect(planned(tree, [arg])).toContain(arg)
    // Without our argument the initrd goes its own way, which the operator knows.
    const [key = ''] = arg.split('=')
    expect(planned(tree, [], [`-${key}`])).not.toMatch(/^refused/)
  })
})

test('the root file system of CoreOS may be part of the initrd: without our argument it boots', async () => {
  const [coreos] = doomed
  if (!coreos) throw new Error('no row')
  const tree = await treeWith(coreos.files, coreos)
  expect(planned(tree, [], ['-coreos.live.rootfs_url'])).toMatch(/^ip=dhcp /)
})

test('an old first stage looks for its second stage by itself', async () => {
  const old = doomed.find(({ name }) => name === 'rocky-9.4')
  if (!old) throw new Error('no row')
  const tree = await treeWith(pair, { ...old, name: 'centos-6', treeinfo: treeinfo('CentOS', '6.10') })
  expect(planned(tree)).toMatch(/^method=/)
})
