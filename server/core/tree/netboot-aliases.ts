import { canonicalArch } from './arch.ts'
import { mainPlatform } from './boot-files.ts'
import { virtInstallFindsImages } from './descriptors/formats.ts'
import type { PlatformImages, Tree } from './tree.ts'

/**
 * A path at which a client looks for a boot file, and the path of that file. Both are relative to the tree.
 */
export interface Alias {
  readonly path: string
  readonly target: string
  /** Whether a listing shows it. */
  readonly listed: boolean
}

/**
 * Aliases for the paths at which virt-install looks for kernel and initrd of a Debian or Ubuntu medium. It
 * recognizes such a tree by `.disk/info`, before it reads any `.treeinfo`, and then expects the folder
 * `install/netboot`, which media had until about 2018 (virtinst 4.1 and 5.0, urldetect.py). Today's media
 * lack it: Ubuntu's live server has its pair in `casper/`, Debian's DVD and netinst in `install.amd/`.
 *
 * The aliases lead to the real files. Hiding `.disk/info` would help virt-install too, but apt, casper and
 * debian-installer read that file on a mounted tree, and a tree is served unchanged. Files that the medium
 * itself has at these paths win.
 *
 * virt-install takes the architecture from the tree's URL, and i386 when the URL names none. So the i386 path
 * leads to the tree's images, too, although they are of another architecture. No listing shows that path.
 */
export function netbootAliases(tree: Tree): readonly Alias[] {
  if (tree.era !== 'disk-info' || !/^(?:Debian|Ubuntu)/.test(tree.family)) return []
  const main = mainPlatform(tree)
  const images = main === undefined ? undefined : tree.platforms[main]
  if (!images) return []
  const name = tree.family.startsWith('Ubuntu') ? 'ubuntu' : 'debian'
  const arch = debianArch(tree.arch)
  const folder = (of: string) => `install/netboot/${name}-installer/${of}`
  const i386 = pair(images, `${folder('i386')}/linux`, `${folder('i386')}/initrd.gz`, 'hidden')
  if (arch === 's390x') {
    const own = pair(images, `install/generic/kernel.${name}`, `install/generic/initrd.${name}`, 'listed')
    // virtinst 4.1 does not know s390x in a URL, and takes it for i386, too.
    return [...own, ...i386]
  }
  const kernel = arch === 'ppc64el' ? 'vmlinux' : 'linux'
  const xen = tree.platforms.xen
  return [
    ...pair(images, `${folder(arch)}/${kernel}`, `${folder(arch)}/initrd.gz`, 'listed'),
    ...(arch === 'i386' ? [] : i386),
    ...(xen ? pair(xen, 'install/netboot/xen/vmlinuz', 'install/netboot/xen/initrd.gz', 'listed') : []),
  ]
}

function pair(
  images: PlatformImages,
  kernel: string,
  initrd: string,
  inListings: 'listed' | 'hidden',
): Alias[] {
  if (images.kernel === undefined || images.initrd === undefined) return []
  const listed = inListings === 'listed'
  return [
    { path: kernel, target: images.kernel, listed },
    { path: initrd, target: images.initrd, listed },
  ]
}

const debianNames: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armhfp: 'armhf',
  ppc64le: 'ppc64el',
}

function debianArch(arch: string): string {
  const name = canonicalArch(arch)
  return Object.hasOwn(debianNames, name) ? (debianNames[name] ?? name) : name
}

/**
 * Whether clients find this tree's images only by a `.treeinfo` that we make: the tree has none, and no other
 * descriptor that virt-install reads (SUSE's `content`, a MANIFEST, Mageia's VERSION).
 */
export function needsTreeinfo(tree: Tree): boolean {
  const main = mainPlatform(tree)
  const images = main === undefined ? undefined : tree.platforms[main]
  return !virtInstallFindsImages(tree.era) && images?.kernel !== undefined && images.initrd !== undefined
}
