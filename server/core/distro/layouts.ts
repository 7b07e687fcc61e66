import { canonicalArch, isKnownArch, sameArch } from '../tree/arch.ts'
import type { PlatformImages } from '../tree/tree.ts'

/** Where a family of trees keeps its kernel and initrd. */
interface Layout {
  /** Of the kernel's path. A group `arch` names its arch, `of` the arch that its platform is for, `v` what its initrd has in common with it. */
  readonly kernel: RegExp
  /** Names of the initrd in the kernel's folder, best first; `$v` and `$arch` as in the kernel. */
  readonly initrds: readonly string[]
  /** The platform, where the path has no arch: a name, or '' for the tree's own arch. */
  readonly platform: string
  /** Which family has such a tree; '' when many do. */
  readonly family: string
}

const rhInitrds = ['initrd.img', 'ramdisk.image.gz']

/** Most telling first: the first pair for a platform is taken. */
const layouts: readonly Layout[] = [
  row(/^images\/pxeboot\/vmlinuz$/, ['initrd.img'], ''),
  row(/^images\/pxeboot\/vmlinuz-(?<v>lpae)$/, ['initrd-$v.img'], 'lpae'),
  row(/^images\/xen\/vmlinuz$/, ['initrd.img'], 'xen'),
  row(/^images\/pxeboot\/vmlinuz-xen$/, ['initrd-xen.img', 'initrd-xen'], 'xen'),
  row(/^images\/kernel\.img$/, ['initrd.img'], 's390x'),
  row(/^ppc\/(?<arch>ppc64)\/vmlinuz$/, rhInitrds, ''),
  row(/^ppc\/ppc32\/vmlinuz$/, rhInitrds, 'ppc'),
  row(
    /^(?:.+\/)?netboot\/(?:debian|ubuntu)-installer\/(?<arch>[^/]+)\/(?:linux|vmlinu[xz])$/,
    ['initrd.gz'],
    '',
  ),
  row(/^debian-installer\/(?<arch>[^/]+)\/(?:linux|vmlinu[xz])$/, ['initrd.gz'], '', 'Debian'),
  row(/^ubuntu-installer\/(?<arch>[^/]+)\/(?:linux|vmlinu[xz])$/, ['initrd.gz'], '', 'Ubuntu'),
  row(/^(?:.+\/)?netboot\/xen\/vmlinuz$/, ['initrd.gz'], 'xen'),
  row(/^(?:.+\/)?generic\/kernel\.(?:debian|ubuntu)$/, ['initrd.debian', 'initrd.ubuntu'], 's390x'),
  row(/^(?:.+\/)?netboot\/vmlinu[xz]$/, ['initrd.gz'], ''),
  row(/^(?<arch>[^/]+)\/linux$/, ['initrd', 'initrd.gz'], '', 'Ubuntu'),
  row(/^casper\/vmlinuz(?:\.efi)?$/, ['initrd', 'initrd.gz', 'initrd.lz', 'initrd.img'], '', 'Ubuntu'),
  row(/^install\.(?<arch>amd|386|a64|arm|ppc|s390x)\/(?:vmlinu[xz])$/, ['initrd.gz'], '', 'Debian'),
  row(/^install\.(?<of>amd|386)\/xen\/vmlinuz$/, ['initrd.gz'], 'xen', 'Debian'),
  row(/^install\/vmlinu[xz]$/, ['initrd.gz'], ''),
  row(/^install\/(?<arch>powerpc64|powerpc)\/vmlinux$/, ['initrd.gz'], ''),
  row(/^boot\/(?<arch>[^/]+)\/loader\/linux$/, ['initrd'], '', 'openSUSE'),
  row(/^boot\/(?<arch>[^/]+)\/(?:linux|vmrdr\.ikr)$/, ['initrd'], '', 'openSUSE'),
  row(/^boot\/(?<of>[^/]+)\/vmlinuz-xen$/, ['initrd-xen'], 'xen', 'openSUSE'),
  row(/^boot\/loader\/linux64$/, ['initrd64'], 'x86_64', 'openSUSE'),
  row(/^boot\/loader\/linux$/, ['initrd'], '', 'openSUSE'),
  row(/^suseboot\/linux64$/, ['initrd64'], 'ppc64', 'openSUSE'),
  row(/^isolinux\/(?<arch>[^/]+)\/vmlinuz$/, ['all.rdz'], '', 'Mageia'),
  row(
    /^arch\/boot\/(?<arch>[^/]+)\/vmlinuz-(?<v>linux[\w-]*)$/,
    ['initramfs-$v.img', 'archiso.img'],
    '',
    'Arch Linux',
  ),
  row(/^arch\/boot\/(?<arch>[^/]+)\/vmlinuz$/, ['archiso.img'], '', 'Arch Linux'),
  row(
    /^boot\/vmlinuz-(?<v>lts|virt|hardened|grsec|vanilla|rpi\d?)$/,
    ['initramfs-$v', 'initramfs-$v.gz'],
    '',
    'Alpine Linux',
  ),
  row(/^(?:syslinux\/)?alt0\/vmlinuz$/, ['full.cz'], '', 'ALT'),
  row(/^boot\/linux26$/, ['initrd.img'], '', 'Proxmox'),
  row(
    /^live\/vmlinuz(?<v>[\w.+-]*)$/,
    ['initrd$v.img', 'initrd.img$v', 'initrd$v', 'initrd.gz', 'initrd.img', 'initrd'],
    '',
  ),
  row(/^isolinux\/vmlinuz$/, ['initrd.img', 'initrd.gz', 'all.rdz'], ''),
  row(
    /^(?<v>(?:[\w.-]+-)?)live-kernel[.-](?<arch>\w+)$/,
    ['$vlive-initramfs.$arch.img', '$vlive-initramfs-$arch.img'],
    '',
    'Fedora CoreOS',
  ),
  row(
    /^boot\/(?:vmlinu[xz]|linux|bzImage|kernel)$/,
    ['initrd', 'initrd.img', 'initrd.gz', 'initrd.xz', 'initramfs.img'],
    '',
  ),
  row(
    /^(?:vmlinu[xz]|linux|bzImage|kernel)$/,
    ['initrd', 'initrd.img', 'initrd.gz', 'initrd.xz', 'initramfs.img'],
    '',
  ),
]

function row(kernel: RegExp, initrds: readonly string[], platform: string, family = ''): Layout {
  return { kernel, initrds, platform, family }
}

/** Debian's names for install folders on its media. */
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

/** What the caller knows of the tree before anyone looks at its files. */
export interface LayoutHints {
  /** Spelled as its descriptor does; '' when unknown. */
  readonly arch: string
  /** The path of the tree: `fedora/40/x86_64` tells an arch where nothing else does. */
  readonly name: string
}

export interface BootImages {
  readonly platforms: Readonly<Record<string, PlatformImages>>
  /** The arch, when the paths tell one; '' otherwise. */
  readonly arch: string
  /** The family, when the layout belongs to one; '' otherwise. */
  readonly family: string
}

/** The kernels and initrds among the paths of a tree, by platform, as the layouts of all known families have them. */
export function bootImagesIn(paths: readonly string[], hints: LayoutHints): BootImages {
  const known = new Set(paths)
  const platforms = new Map<string, PlatformImages>()
  let family = ''
  for (const layout of layouts) {
    for (const kernel of paths) {
      const match = layout.kernel.exec(kernel)
      if (!match) continue
      const initrd = findInitrd(layout, match, known)
      if (initrd === undefined) continue
      const platform = platformOf(layout, match, hints)
      if (platform === undefined || platforms.has(platform)) continue
      platforms.set(platform, { kernel, initrd, others: {} })
      family ||= /ubuntu/.test(kernel) ? 'Ubuntu' : layout.family
    }
  }
  const arches = [...platforms.keys()].filter(isKnownArch)
  const own = arches.find((arch) => hints.arch !== '' && sameArch(arch, hints.arch))
  return { platforms: Object.fromEntries(platforms), arch: own ?? arches[0] ?? '', family }
}

/** The platform of a pair; undefined when what stands in the arch's place is none (`boot/grub/linux`). '' for unknown. */
function platformOf(layout: Layout, match: RegExpExecArray, hints: LayoutHints): string | undefined {
  const { arch: found, of } = match.groups ?? {}
  // Two arches on one DVD have two Xen kernels; the tree's own counts.
  if (of !== undefined && hints.arch !== '' && !sameArch(installFolder(of), hints.arch)) return undefined
  if (found === undefined) return layout.platform === '' ? hints.arch : layout.platform
  const said = installFolder(found)
  if (!isKnownArch(said)) return undefined
  // Little-endian POWER kept the folder of its big-endian predecessor: ppc/ppc64/vmlinuz.
  if (said === 'ppc64' && canonicalArch(hints.arch) === 'ppc64le') return hints.arch
  return hints.arch !== '' && sameArch(said, hints.arch) ? hints.arch : said
}

function findInitrd(layout: Layout, match: RegExpExecArray, known: ReadonlySet<string>): string | undefined {
  const kernel = match[0]
  const folder = kernel.slice(0, kernel.lastIndexOf('/') + 1)
  const { v = '', arch = '' } = match.groups ?? {}
  return layout.initrds
    .map((pattern) => `${folder}${pattern.replaceAll('$arch', arch).replaceAll('$v', v)}`)
    .find((path) => known.has(path))
}

/** Folders worth listing when a tree has no descriptor that names its images. Architectures count as well. */
const tellingFolders = new Set([
  ...[
    'images',
    'pxeboot',
    'xen',
    'ppc',
    'ppc32',
    'netboot',
    'debian-installer',
    'ubuntu-installer',
    'generic',
  ],
  ...['current', 'legacy-images', 'daily', 'casper', 'install', 'install.amd', 'install.386', 'install.a64'],
  ...[
    'install.arm',
    'install.ppc',
    'install.s390x',
    'boot',
    'loader',
    'suseboot',
    'isolinux',
    'arch',
    'live',
  ],
  ...['syslinux', 'alt0', '.disk', 'media.1'],
])

export function isTellingFolder(name: string): boolean {
  return tellingFolders.has(name) || isKnownArch(name)
}

/** Whether a file of this name may be a kernel of one of the layouts. */
export function mayBeKernel(name: string): boolean {
  return /^(?:vmlinu[xz].*|linux|linux64|linux26|kernel|kernel\.img|bzImage|.*live-kernel[.-]\w+)$/.test(name)
}
