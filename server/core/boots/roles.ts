import { parseBootPath } from '../loader/boot-path.ts'

/**
 * What a file is for a machine that boots. `metadata`: small files by which an installer finds its way, such as
 * `.treeinfo` and indexes of repositories, and those that it can do without.
 */
export type FileRole =
  | 'loader'
  | 'configuration'
  | 'kernel'
  | 'initrd'
  | 'stage2'
  | 'answer-file'
  | 'package'
  | 'metadata'

const packageForm = /\.(?:d?rpm|u?deb|apk|txz|pkg\.tar\.\w+)$/i
/** `core.0` and `pxelinux.0`; iPXE's builds; EFI; modules of SYSLINUX and GRUB; a Raspberry Pi's own files. */
const loaderForm = /(?:\.(?:efi|efi\.signed|k?kpxe|pxe|0|c32|mod|lst|elf)|^ldlinux\.\w+|^bootcode\.bin)$/i
const kernelForm = /^(?:vmlinuz|vmlinux|linux(?:26|64)?|bzimage|kernel)(?:[.-].*)?$/i
const initrdForm = /^(?:initrd|initramfs|all\.rdz|ramdisk)/i
/**
 * Anaconda's `images/install.img` or `LiveOS/squashfs.img`, before Fedora 13 `stage2.img`; CoreOS' rootfs; casper's
 * `*.squashfs` and whole ISO images.
 */
const stage2Form =
  /^(?:install\.img|squashfs\.img|stage2\.img|minstg2\.img|.*rootfs.*\.img|.*\.squashfs|.*\.iso)$/i
/** linuxrc: `boot/x86_64/root` is its second stage, and its parts lie beside it. */
const linuxrcForm = /\/boot\/[^/]+\/(?:root|common|cracklib|bind|rescue)$/

/** cloud-init asks for these beside `user-data`, which is the answer file. */
const seedExtras: ReadonlySet<string> = new Set(['meta-data', 'vendor-data', 'network-config'])

/**
 * @param path Cleaned, or as a client wrote it when nothing was found.
 * @param kernel The path of the kernel that the machine was offered.
 */
export function roleOf(path: string, kernel?: string): FileRole {
  if (path === kernel) return 'kernel'
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (path === '/ks' || path.startsWith('/ks/')) return seedExtras.has(name) ? 'metadata' : 'answer-file'
  if (packageForm.test(name)) return 'package'
  if (loaderForm.test(name)) return 'loader'
  if (stage2Form.test(name) || linuxrcForm.test(path)) return 'stage2'
  if (initrdForm.test(name)) return 'initrd'
  if (kernelForm.test(name)) return 'kernel'
  return parseBootPath(path) === undefined ? 'metadata' : 'configuration'
}

export function isPackage(path: string): boolean {
  return packageForm.test(path)
}

/** The guest in the path of an answer file: `/ks/web01`, `/ks/web01/user-data`. */
export function guestOfAnswer(path: string): string | undefined {
  return /^\/ks\/([^/]+)/.exec(path)?.[1]
}

/**
 * Names that loaders look for and do not need. shim 16 asks for its revocations and certificates before GRUB; GRUB 2.06 for
 * lists of its modules; EFI iPXE since 2023 for `autoexec.ipxe`; PXELINUX for `ldlinux.c32` in a row of folders.
 */
const looseForm =
  /^(?:revocations.*\.efi|shim_certificate.*\.efi|mm\w+\.efi|.*\.lst|autoexec\.ipxe|ldlinux\.(?:c32|e32|e64)|bootsig\.bin)$/i

export function isLooked(path: string): boolean {
  return looseForm.test(path.slice(path.lastIndexOf('/') + 1))
}

/** The library of PXELINUX 5 and later: `ldlinux.c32`, under UEFI `ldlinux.e64` or `ldlinux.e32`. */
export function isLibrary(path: string): boolean {
  return /(?:^|\/)ldlinux\.\w+$/i.test(path)
}
