import { packagedEfiFolders } from '../distro/efi.ts'

/**
 * One file of a boot loader: the name under which it is served, where packages of the host keep it, and which
 * packages those are. Debian paths as of Debian 12 (ipxe 1.0.0+git-20190125, syslinux 6.04, shim-signed 1.51,
 * grub 2.06), Fedora paths as of Fedora 40.
 */
export interface LoaderFile {
  /** Its name at the root of the namespace. A file of the operator with this name wins. */
  readonly name: string
  /** What it is, for people. */
  readonly what: string
  /** Absolute, in the order in which they are tried. */
  readonly places: readonly string[]
  readonly packages: { readonly debian?: string; readonly fedora?: string }
}

/** Where distributions with RPMs install shim and GRUB: the EFI system partition of the host itself. */
const espPlaces = (file: string): readonly string[] =>
  packagedEfiFolders.map((folder) => `/boot/efi/EFI/${folder}/${file}`)

/**
 * A package for another architecture than the host's has a suffix (`:arm64`). Packages for ia32 exist on i386
 * hosts only.
 */
const debianPackages = {
  x64: ['shim-signed', 'grub-efi-amd64-signed', 'shim-helpers-amd64-signed'],
  aa64: ['shim-signed:arm64', 'grub-efi-arm64-signed:arm64', 'shim-helpers-arm64-signed:arm64'],
  ia32: [],
} as const

/** What differs between the signed files of two CPUs. */
interface SignedChain {
  /** As file names spell it. */
  readonly cpu: keyof typeof debianPackages
  /** As GRUB names its target. */
  readonly grubTarget: string
  /** For people. */
  readonly arch: string
}

/** The files of a signed chain: shim, GRUB and the MOK manager. */
const signed = ({ cpu, grubTarget, arch }: SignedChain): readonly LoaderFile[] => {
  const [shim, grub, manager] = debianPackages[cpu]
  const debian = (name: string | undefined) => (name === undefined ? {} : { debian: name })
  return [
    {
      name: `shim${cpu}.efi`,
      what: `shim for UEFI ${arch}, signed by Microsoft: the first link of Secure Boot`,
      places: [`/usr/lib/shim/shim${cpu}.efi.signed`, ...espPlaces(`shim${cpu}.efi`)],
      packages: { ...debian(shim), fedora: `shim-${cpu}` },
    },
    {
      name: `grub${cpu}.efi`,
      what: `GRUB for UEFI ${arch} with network drivers, signed by the distribution: shim starts it`,
      // Debian's grubx64.efi.signed is the one for disks and knows no TFTP.
      places: [`/usr/lib/grub/${grubTarget}-signed/grubnet${cpu}.efi.signed`, ...espPlaces(`grub${cpu}.efi`)],
      packages: { ...debian(grub), fedora: `grub2-efi-${cpu}` },
    },
    {
      name: `mm${cpu}.efi`,
      what: `MOK manager for UEFI ${arch}: shim starts it while an enrolment is pending`,
      places: [`/usr/lib/shim/mm${cpu}.efi.signed`, ...espPlaces(`mm${cpu}.efi`)],
      packages: { ...debian(manager), fedora: `shim-${cpu}` },
    },
  ]
}

const syslinux = (name: string, what: string): LoaderFile => ({
  name,
  what,
  places: [
    `/usr/lib/PXELINUX/${name}`,
    `/usr/lib/syslinux/modules/bios/${name}`,
    `/usr/share/syslinux/${name}`,
    `/tftpboot/${name}`,
    `/var/lib/tftpboot/${name}`,
  ],
  packages: { debian: name.endsWith('.0') ? 'pxelinux' : 'syslinux-common', fedora: 'syslinux-tftpboot' },
})

export const loaderFiles: readonly LoaderFile[] = [
  {
    name: 'undionly.kpxe',
    what: 'iPXE for BIOS, over the card’s own driver',
    places: ['/usr/lib/ipxe/undionly.kpxe', '/usr/share/ipxe/undionly.kpxe'],
    packages: { debian: 'ipxe', fedora: 'ipxe-bootimgs-x86' },
  },
  {
    name: 'snponly.efi',
    what: 'iPXE for UEFI x64, over the firmware’s own driver',
    places: ['/usr/lib/ipxe/snponly.efi', '/usr/share/ipxe/ipxe-snponly-x86_64.efi'],
    packages: { debian: 'ipxe', fedora: 'ipxe-bootimgs-x86' },
  },
  {
    name: 'ipxe.efi',
    what: 'iPXE for UEFI x64 with drivers of its own',
    places: ['/usr/lib/ipxe/ipxe.efi', '/usr/share/ipxe/ipxe-x86_64.efi'],
    packages: { debian: 'ipxe', fedora: 'ipxe-bootimgs-x86' },
  },
  {
    name: 'ipxe-i386.efi',
    what: 'iPXE for UEFI ia32',
    places: ['/usr/lib/ipxe/ipxe-i386.efi', '/usr/share/ipxe/ipxe-i386.efi'],
    packages: { fedora: 'ipxe-bootimgs-x86' },
  },
  {
    name: 'snponly-arm64.efi',
    what: 'iPXE for UEFI arm64, over the firmware’s own driver',
    places: ['/usr/lib/ipxe/snponly-arm64.efi', '/usr/share/ipxe/arm64-efi/snponly.efi'],
    packages: { fedora: 'ipxe-bootimgs-aarch64' },
  },
  {
    name: 'ipxe-arm64.efi',
    what: 'iPXE for UEFI arm64 with drivers of its own',
    places: ['/usr/lib/ipxe/ipxe-arm64.efi', '/usr/share/ipxe/arm64-efi/ipxe.efi'],
    packages: { fedora: 'ipxe-bootimgs-aarch64' },
  },
  syslinux('pxelinux.0', 'PXELINUX for BIOS: configuration and kernel by TFTP'),
  syslinux('lpxelinux.0', 'PXELINUX for BIOS that reads HTTP as well'),
  syslinux('ldlinux.c32', 'core module of PXELINUX, which it loads first'),
  ...['libcom32.c32', 'libutil.c32', 'menu.c32', 'vesamenu.c32', 'chain.c32', 'mboot.c32', 'reboot.c32'].map(
    (name) => syslinux(name, 'module of PXELINUX, for hand-written menus'),
  ),
  ...signed({ cpu: 'x64', grubTarget: 'x86_64-efi', arch: 'x64' }),
  ...signed({ cpu: 'ia32', grubTarget: 'i386-efi', arch: 'ia32' }),
  ...signed({ cpu: 'aa64', grubTarget: 'arm64-efi', arch: 'arm64' }),
]

/**
 * The packages that bring the loaders with these paths in the namespace, as the distributions of the host name them. Empty
 * for a loader that none brings.
 */
export function packagesOf(
  paths: readonly string[],
  family: keyof LoaderFile['packages'],
): readonly string[] {
  const names = new Set(paths.map((path) => path.slice(path.lastIndexOf('/') + 1)))
  const found = loaderFiles.filter(({ name }) => names.has(name)).map(({ packages }) => packages[family])
  return [...new Set(found.filter((name) => name !== undefined))]
}

/**
 * Where a tree keeps the signed chain of its distribution, best first; shim and second stage lie in one
 * folder. `beside` is the folder of its kernel. Debian and Ubuntu media have `EFI/boot` in lower case, and
 * the GRUB there has no network support. Their network installers bring one that has, beside the kernel.
 */
export const treeChains: readonly {
  readonly folder: 'EFI/BOOT' | 'beside'
  readonly shim: string
  readonly grub: string
}[] = [
  // Fedora, Red Hat and kin
  { folder: 'EFI/BOOT', shim: 'BOOTX64.EFI', grub: 'grubx64.efi' },
  { folder: 'EFI/BOOT', shim: 'BOOTAA64.EFI', grub: 'grubaa64.efi' },
  // SUSE, whose shim asks for grub.efi
  { folder: 'EFI/BOOT', shim: 'bootx64.efi', grub: 'grub.efi' },
  { folder: 'EFI/BOOT', shim: 'bootaa64.efi', grub: 'grub.efi' },
  // debian-installer
  { folder: 'beside', shim: 'bootnetx64.efi', grub: 'grubx64.efi' },
  { folder: 'beside', shim: 'bootnetaa64.efi', grub: 'grubaa64.efi' },
  // Ubuntu's network installer
  { folder: 'beside', shim: 'bootx64.efi', grub: 'grubx64.efi' },
  { folder: 'beside', shim: 'bootaa64.efi', grub: 'grubaa64.efi' },
]

/**
 * The paths in a tree to try for a name that firmware or shim asks for below `/boot/loader/<tree>/`, best
 * first.
 */
export function treeLoaderPlaces(name: string, kernelFolder: string): readonly string[] {
  const cpu = /^(?:shim|grub|mm)(x64|aa64)\.efi$/.exec(name)?.[1]
  const chains = treeChains.filter((chain) => cpu === undefined || chain.shim.toLowerCase().includes(cpu))
  const at = (folder: string, file: string): string => {
    const real = folder === 'beside' ? kernelFolder : folder
    return real === '' ? file : `${real}/${file}`
  }
  if (/^shim(x64|aa64)\.efi$/.test(name)) return chains.map(({ folder, shim }) => at(folder, shim))
  if (name === 'grub.efi')
    return chains.filter(({ grub }) => grub === name).map(({ folder, grub }) => at(folder, grub))
  if (/^grub(x64|aa64)\.efi$/.test(name)) return chains.map(({ folder, grub }) => at(folder, grub))
  if (/^mm(x64|aa64)\.efi$/.test(name)) return [`EFI/BOOT/${name}`, at('beside', name)]
  if (name === 'MokManager.efi') return [`EFI/BOOT/${name}`]
  return []
}

/**
 * The folder with the loaders of the host alone: below `/` those of the operator hide the ones of the same name. No
 * tree has this id, because the scanner passes over folders whose name begins with a dot.
 */
export const hostLoaderFolder = '/boot/loader/.host'

/** The folder with the signed chains of trees. */
export const treeLoaderFolder = '/boot/loader'

/** The path at which a file of a tree's signed chain is served. */
export function treeChainPath(treeId: string, file: string): string {
  return `${treeLoaderFolder}/${treeId}/${file}`
}
