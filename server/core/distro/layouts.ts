import { canonicalArch, isKnownArch, sameArch } from '../tree/arch.ts'
import type { PlatformImages } from '../tree/description.ts'
import { families } from './families.ts'
import type { Layout } from './record.ts'

/**
 * Where trees keep kernel and initrd. Layouts of one family are in its record; here are those that several
 * share.
 */

const rhInitrds = ['initrd.img', 'ramdisk.image.gz']
const looseInitrds = ['initrd', 'initrd.img', 'initrd.gz', 'initrd.lz', 'initrd.xz', 'initramfs.img']

/**
 * The trees of installers: anaconda of Fedora, Enterprise Linux and kin; debian-installer of Debian and kin; and what
 * kiwi makes.
 */
const installerLayouts: readonly Layout[] = [
  { kernel: /^images\/pxeboot\/vmlinuz$/, initrds: ['initrd.img'] },
  { kernel: /^images\/pxeboot\/vmlinuz-(?<v>lpae)$/, initrds: ['initrd-$v.img'], platform: 'lpae' },
  { kernel: /^images\/xen\/vmlinuz$/, initrds: ['initrd.img'], platform: 'xen' },
  {
    kernel: /^images\/pxeboot\/vmlinuz-xen$/,
    initrds: ['initrd-xen.img', 'initrd-xen'],
    platform: 'xen',
  },
  // Kernels of Anolis OS have their version in the name: vmlinuz-4.19.91-23.4.an8.x86_64.
  {
    kernel: /^images\/pxeboot\/vmlinuz-(?<v>\d[\w.+-]*\.(?<arch>[a-z][a-z0-9_]+))$/,
    initrds: ['initrd-$v.img'],
  },
  { kernel: /^images\/pxeboot\/vmlinuz-(?<v>\d[\w.+-]*)$/, initrds: ['initrd-$v.img'] },
  {
    kernel: /^images\/kernel\.img$/,
    initrds: ['initrd.img'],
    platform: 's390x',
    others: { 'generic.ins': '/generic.ins', 'generic.prm': 'generic.prm' },
  },
  { kernel: /^ppc\/(?<arch>ppc64)\/vmlinuz$/, initrds: rhInitrds },
  { kernel: /^ppc\/(?:ppc32|mac)\/vmlinuz$/, initrds: rhInitrds, platform: 'ppc' },
  { kernel: /^ppc\/mac64\/vmlinuz$/, initrds: rhInitrds, platform: 'ppc64' },
  {
    kernel: /^(?:.+\/)?netboot\/(?:debian|ubuntu)-installer\/(?<arch>[^/]+)\/(?:linux|vmlinu[xz])$/,
    initrds: ['initrd.gz'],
  },
  { kernel: /^(?:.+\/)?netboot\/xen\/vmlinuz$/, initrds: ['initrd.gz'], platform: 'xen' },
  {
    kernel: /^(?:.+\/)?generic\/kernel\.(?:debian|ubuntu)$/,
    initrds: ['initrd.debian', 'initrd.ubuntu'],
    platform: 's390x',
    others: { parmfile: 'parmfile.debian' },
  },
  { kernel: /^(?:.+\/)?netboot\/vmlinu[xz]$/, initrds: ['initrd.gz'] },
  // SUSE's media, and live systems of any distribution that kiwi makes.
  { kernel: /^boot\/(?<arch>[^/]+)\/loader\/linux$/, initrds: ['initrd'] },
]

/** Layouts that many kinds of trees have: they are tried after those of all families. */
const looseLayouts: readonly Layout[] = [
  { kernel: /^install\/vmlinu[xz]$/, initrds: ['initrd.gz'] },
  { kernel: /^install\/gtk\/vmlinuz$/, initrds: ['initrd.gz'] },
  { kernel: /^install\/(?<arch>powerpc64|powerpc)\/vmlinux$/, initrds: ['initrd.gz'] },
  {
    kernel: /^live\/vmlinuz(?<v>[\w.+-]*)$/,
    initrds: ['initrd$v.img', 'initrd.img$v', 'initrd$v', 'initrd.gz', 'initrd.img', 'initrd.lz', 'initrd'],
  },
  { kernel: /^isolinux\/vmlinuz$/, initrds: ['initrd.img', 'initrd.gz', 'all.rdz'] },
  // Live systems of Fedora and Enterprise Linux, until livecd-creator gave way to lorax and kiwi.
  { kernel: /^isolinux\/vmlinuz(?<v>\d)$/, initrds: ['initrd$v.img'] },
  { kernel: /^boot\/vmlinuz-(?<v>(?<arch>x86_64|i686|aarch64))$/, initrds: ['initramfs-$v.img'] },
  { kernel: /^boot\/(?:vmlinu[xz]|linux|bzImage|Image|kernel)$/, initrds: [...looseInitrds, 'all.rdz'] },
  { kernel: /^(?:vmlinu[xz]|linux|bzImage|Image|kernel)$/, initrds: looseInitrds },
]

/** Most specific first: of each platform the first pair that is found is taken. */
export const layouts: readonly Layout[] = [
  ...installerLayouts,
  ...families.flatMap((family) => family.layouts ?? []),
  ...looseLayouts,
]

/** Paths of the second stage in trees without a descriptor, best first. */
const stage2Paths: readonly (string | RegExp)[] = [
  'images/install.img',
  'LiveOS/squashfs.img',
  'images/stage2.img',
  ...families.flatMap((family) => family.stage2 ?? []),
  'live/filesystem.squashfs',
]

/** The second stage among the paths of a tree; undefined when none of them is one. */
export function stage2In(paths: Iterable<string>): string | undefined {
  const all = [...paths]
  for (const wanted of stage2Paths) {
    const found = all.find((path) => (typeof wanted === 'string' ? path === wanted : wanted.test(path)))
    if (found !== undefined) return found
  }
  return undefined
}

/** The architectures of Debian's folders `install.<name>` on its media. */
const installFolders: Readonly<Record<string, string>> = {
  amd: 'amd64',
  '386': 'i386',
  a64: 'arm64',
  ahf: 'armhf',
  arm: 'armhf',
  ppc: 'powerpc',
}

function installFolder(name: string): string {
  return Object.hasOwn(installFolders, name) ? (installFolders[name] ?? name) : name
}

/** What the paths of a tree tell. */
export interface BootImages {
  readonly platforms: Readonly<Record<string, PlatformImages>>
  /** The arch, when the paths tell one; '' otherwise. */
  readonly arch: string
  /** The family, when the layout belongs to one; '' otherwise. */
  readonly family: string
}

/**
 * Finds kernels and initrds among the paths of a tree, by platform, wherever a layout of any family has them.
 *
 * @param treeArch Spelled as the tree's descriptor does; '' when unknown.
 */
export function bootImagesIn(paths: readonly string[], treeArch: string): BootImages {
  const allPaths = new Set(paths)
  const platforms = new Map<string, PlatformImages>()
  let family = ''
  for (const layout of layouts)
    for (const kernel of paths) {
      const pair = pairOf(layout, kernel, allPaths, treeArch)
      if (!pair || platforms.has(pair.platform)) continue
      platforms.set(pair.platform, { kernel, initrd: pair.initrd, others: pair.others })
      // Layouts that Debian and Ubuntu share have no family, but Ubuntu's paths name it.
      family ||= /ubuntu/.test(kernel) ? 'Ubuntu' : (layout.family ?? '')
    }
  const arches = [...platforms.keys()].filter(isKnownArch)
  const own = arches.find((arch) => treeArch !== '' && sameArch(arch, treeArch))
  return { platforms: Object.fromEntries(platforms), arch: own ?? arches[0] ?? '', family }
}

/**
 * The platform and initrd of a kernel; undefined when it is not a kernel of this layout or has no initrd
 * beside it.
 */
function pairOf(
  layout: Layout,
  kernel: string,
  allPaths: ReadonlySet<string>,
  treeArch: string,
):
  | { readonly platform: string; readonly initrd: string; readonly others: PlatformImages['others'] }
  | undefined {
  const match = layout.kernel.exec(kernel)
  if (!match) return undefined
  const pathOf = (pattern: string) => besideKernel(match, pattern)
  const initrd = layout.initrds.map(pathOf).find((path) => allPaths.has(path))
  const platform = platformOf(layout, match, treeArch)
  if (initrd === undefined || platform === undefined) return undefined
  const others = Object.entries(layout.others ?? {})
    .map(([key, pattern]) => [key, pathOf(pattern)] as const)
    .filter(([, path]) => allPaths.has(path))
  return { platform, initrd, others: Object.fromEntries(others) }
}

/**
 * The platform of a pair; '' when unknown. Undefined when the pair is for another architecture than the
 * tree's, or when the folder in the place of the architecture is not one (`boot/grub/linux`).
 */
function platformOf(layout: Layout, match: RegExpExecArray, treeArch: string): string | undefined {
  const { arch: found, of } = match.groups ?? {}
  // A DVD for two architectures has two Xen kernels: the one for the tree's architecture is taken.
  if (of !== undefined && treeArch !== '' && !sameArch(installFolder(of), treeArch)) return undefined
  if (found === undefined) return layout.platform || treeArch
  const pathArch = installFolder(found)
  if (!isKnownArch(pathArch)) return undefined
  // Little-endian POWER kept the folder of its big-endian predecessor: ppc/ppc64/vmlinuz.
  if (pathArch === 'ppc64' && canonicalArch(treeArch) === 'ppc64le') return treeArch
  return treeArch !== '' && sameArch(pathArch, treeArch) ? treeArch : pathArch
}

/** The path of a file beside a kernel; a pattern with a slash in front begins at the tree. */
function besideKernel(match: RegExpExecArray, pattern: string): string {
  const { v = '', arch = '' } = match.groups ?? {}
  const name = pattern.replaceAll('$arch', arch).replaceAll('$v', v)
  if (name.startsWith('/')) return name.slice(1)
  const kernel = match[0]
  return kernel.slice(0, kernel.lastIndexOf('/') + 1) + name
}

/**
 * Folders worth listing when a tree has no descriptor that names its images. Folders named after an
 * architecture are, too.
 */
const tellingFolders: ReadonlySet<string> = new Set([
  // of anaconda's trees
  ...['images', 'pxeboot', 'xen', 'ppc', 'ppc32', 'mac', 'mac64'],
  // of debian-installer's images on a mirror
  ...['netboot', 'generic', 'current', 'legacy-images', 'daily'],
  // of live systems, and of media of many kinds
  ...['install', 'gtk', 'boot', 'loader', 'isolinux', 'live', 'LiveOS'],
  // of descriptors
  ...['.disk', 'media.1'],
  ...families.flatMap((family) => family.folders ?? []),
])

const folderNames = wholeName(families.flatMap((family) => family.folderNames ?? []))

export function isTellingFolder(name: string): boolean {
  return tellingFolders.has(name) || isKnownArch(name) || folderNames.test(name)
}

const kernelName = wholeName([
  /vmlinu[xz].*|linux|kernel|kernel\.img|bzImage|Image/,
  ...families.flatMap((family) => family.kernelNames ?? []),
])

/** One expression for all these names, each of which must be the whole name. */
function wholeName(patterns: readonly RegExp[]): RegExp {
  return new RegExp(`^(?:${patterns.map(({ source }) => source).join('|')})$`)
}

/** Whether a file of this name may be a kernel of one of the layouts. */
export function mayBeKernel(name: string): boolean {
  return kernelName.test(name)
}
