import { canonicalArch, isKnownArch, sameArch } from '../tree/arch.ts'
import type { PlatformImages } from '../tree/description.ts'
import { families } from './families.ts'
import type { Layout } from './record.ts'

/**
 * Where trees keep kernel and initrd. Layouts of one family are in its record; here are those that several
 * share.
 */

const rhInitrds = ['initrd.img', 'ramdisk.image.gz']
const looseInitrds = ['initrd', 'initrd.img', 'initrd.gz', 'initrd.xz', 'initramfs.img']

/**
 * The trees of two installers: anaconda of Fedora, Enterprise Linux and kin; debian-installer of Debian and
 * kin.
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
  { kernel: /^images\/kernel\.img$/, initrds: ['initrd.img'], platform: 's390x' },
  { kernel: /^ppc\/(?<arch>ppc64)\/vmlinuz$/, initrds: rhInitrds },
  { kernel: /^ppc\/ppc32\/vmlinuz$/, initrds: rhInitrds, platform: 'ppc' },
  {
    kernel: /^(?:.+\/)?netboot\/(?:debian|ubuntu)-installer\/(?<arch>[^/]+)\/(?:linux|vmlinu[xz])$/,
    initrds: ['initrd.gz'],
  },
  { kernel: /^(?:.+\/)?netboot\/xen\/vmlinuz$/, initrds: ['initrd.gz'], platform: 'xen' },
  {
    kernel: /^(?:.+\/)?generic\/kernel\.(?:debian|ubuntu)$/,
    initrds: ['initrd.debian', 'initrd.ubuntu'],
    platform: 's390x',
  },
  { kernel: /^(?:.+\/)?netboot\/vmlinu[xz]$/, initrds: ['initrd.gz'] },
]

/** Layouts that many kinds of trees have: they are tried after those of all families. */
const looseLayouts: readonly Layout[] = [
  { kernel: /^install\/vmlinu[xz]$/, initrds: ['initrd.gz'] },
  { kernel: /^install\/(?<arch>powerpc64|powerpc)\/vmlinux$/, initrds: ['initrd.gz'] },
  {
    kernel: /^live\/vmlinuz(?<v>[\w.+-]*)$/,
    initrds: ['initrd$v.img', 'initrd.img$v', 'initrd$v', 'initrd.gz', 'initrd.img', 'initrd'],
  },
  { kernel: /^isolinux\/vmlinuz$/, initrds: ['initrd.img', 'initrd.gz', 'all.rdz'] },
  { kernel: /^boot\/(?:vmlinu[xz]|linux|bzImage|kernel)$/, initrds: looseInitrds },
  { kernel: /^(?:vmlinu[xz]|linux|bzImage|kernel)$/, initrds: looseInitrds },
]

/** Most specific first: of each platform the first pair that is found is taken. */
const layouts: readonly Layout[] = [
  ...installerLayouts,
  ...families.flatMap((family) => family.layouts ?? []),
  ...looseLayouts,
]

/** Paths of the second stage in trees without a descriptor, best first. */
export const stage2Paths: readonly string[] = [
  'images/install.img',
  'LiveOS/squashfs.img',
  'images/stage2.img',
  ...families.flatMap((family) => family.stage2 ?? []),
  'live/filesystem.squashfs',
]

/** The architectures of Debian's folders `install.<name>` on its media. */
const installFolders: Readonly<Record<string, string>> = {
  amd: 'amd64',
  '386': 'i386',
  a64: 'arm64',
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
      platforms.set(pair.platform, { kernel, initrd: pair.initrd, others: {} })
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
): { readonly platform: string; readonly initrd: string } | undefined {
  const match = layout.kernel.exec(kernel)
  if (!match) return undefined
  const initrd = findInitrd(layout, match, allPaths)
  const platform = platformOf(layout, match, treeArch)
  return initrd === undefined || platform === undefined ? undefined : { platform, initrd }
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

function findInitrd(
  layout: Layout,
  match: RegExpExecArray,
  allPaths: ReadonlySet<string>,
): string | undefined {
  const kernel = match[0]
  const folder = kernel.slice(0, kernel.lastIndexOf('/') + 1)
  const { v = '', arch = '' } = match.groups ?? {}
  return layout.initrds
    .map((pattern) => `${folder}${pattern.replaceAll('$arch', arch).replaceAll('$v', v)}`)
    .find((path) => allPaths.has(path))
}

/**
 * Folders worth listing when a tree has no descriptor that names its images. Folders named after an
 * architecture are, too.
 */
const tellingFolders: ReadonlySet<string> = new Set([
  // of anaconda's trees
  ...['images', 'pxeboot', 'xen', 'ppc', 'ppc32'],
  // of debian-installer's images on a mirror
  ...['netboot', 'generic', 'current', 'legacy-images', 'daily'],
  // of live systems, and of media of many kinds
  ...['install', 'boot', 'isolinux', 'live'],
  // of descriptors
  ...['.disk', 'media.1'],
  ...families.flatMap((family) => family.folders ?? []),
])

export function isTellingFolder(name: string): boolean {
  return tellingFolders.has(name) || isKnownArch(name)
}

const kernelNames = [
  /vmlinu[xz].*|linux|kernel|kernel\.img|bzImage/,
  ...families.flatMap((family) => family.kernelNames ?? []),
]
const kernelName = new RegExp(`^(?:${kernelNames.map((pattern) => pattern.source).join('|')})$`)

/** Whether a file of this name may be a kernel of one of the layouts. */
export function mayBeKernel(name: string): boolean {
  return kernelName.test(name)
}
