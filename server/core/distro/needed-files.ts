import { mainPlatform, rootfsOf } from '../tree/boot-files.ts'
import type { Description, NeededFile, PlatformImages } from '../tree/description.ts'
import { distroOf, installerOf, isOldAnaconda } from './distro.ts'
import { recordOf } from './families.ts'
import type { InstallerName } from './record.ts'

/**
 * The file of a tree without which the initrd of its main platform goes no further: the second stage of an installer,
 * the rest of a live system. Undefined where none is known: debian-installer, linuxrc and DrakX ask for packages.
 */
export function neededFile(tree: Description): NeededFile | undefined {
  const main = mainPlatform(tree)
  const images = main === undefined ? undefined : tree.platforms[main]
  if (images?.kernel === undefined || images.initrd === undefined) return undefined
  const distro = distroOf(tree)
  const installer = installerOf(distro, tree.version, images.kernel)
  if (installer === 'unknown') return recordOf(distro).needs?.(images.kernel)
  if (installer === 'anaconda' && isOldAnaconda({ distro, version: tree.version })) return undefined
  return needs[installer]?.(tree, images)
}

type Need = (tree: Description, images: PlatformImages) => NeededFile | undefined

const needs: Partial<Readonly<Record<InstallerName, Need>>> = {
  // anaconda-dracut takes the path from .treeinfo, and these two without one (anaconda-lib.sh).
  anaconda: (tree) => ({
    what: 'second stage',
    anyOf: tree.stage2 === undefined ? ['images/install.img', 'LiveOS/squashfs.img'] : [tree.stage2],
  }),
  coreos: (tree, images) => ({ what: 'root file system', anyOf: [coreosRootfs(tree, images)] }),
  agama: (tree) => liveImage(tree),
  'dmsquash-live': (tree) => liveImage(tree),
  'live-boot': (tree) => ({ what: 'live system', anyOf: [tree.stage2 ?? 'live/filesystem.squashfs'] }),
  subiquity: casperImages,
  casper: casperImages,
}

/** The root file system that the live system of CoreOS fetches. */
export function coreosRootfs({ stage2 }: Pick<Description, 'stage2'>, images: PlatformImages): string {
  const found = rootfsOf(images) ?? (stage2?.includes('rootfs') ? stage2 : undefined)
  // fedora-coreos-40-live-kernel-x86_64 has fedora-coreos-40-live-rootfs.x86_64.img beside it.
  const [, release, arch] = /^(.*live-)kernel[.-](\w+)$/.exec(images.kernel ?? '') ?? []
  return found ?? (release === undefined ? 'images/pxeboot/rootfs.img' : `${release}rootfs.${arch}.img`)
}

function liveImage({ stage2 }: Description): NeededFile {
  return { what: 'live system', anyOf: [stage2 ?? 'LiveOS/squashfs.img'] }
}

/**
 * casper mounts all `*.squashfs` of its folder, whatever their names are. On s390x a disc has its kernel in `boot/`. The
 * netboot tarball has none, and is not meant to.
 */
function casperImages(_tree: Description, { kernel = '' }: PlatformImages): NeededFile | undefined {
  const [, beside, disc] = /^(?:(casper[\w.-]*)\/|(boot)\/)/.exec(kernel) ?? []
  const path = beside ?? (disc && 'casper')
  if (path === undefined) return undefined
  return { what: 'live system', anyOf: [], folder: { path, name: /\.squashfs$/, shown: '*.squashfs' } }
}
