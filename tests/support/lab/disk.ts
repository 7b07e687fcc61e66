import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Disks that say one sentence when a machine boots them. */

export interface Disk {
  /** What QEMU's `-drive` is told of it. */
  readonly drive: string
  /** What it says on the serial line when it is booted. It then powers the machine off. */
  readonly line: string
  /** The file below `EFI/` that GRUB must start, and no other: GRUB beside it would say the same line. */
  readonly loader?: string
}

/** A boot sector of our own that writes to the first serial port. */
export function biosDisk(folder: string): Disk {
  const line = 'LOCAL DISK BIOS'
  const code = Buffer.from([
    ...[0x31, 0xc0, 0x8e, 0xd8], //       xor ax, ax; mov ds, ax
    ...[0xbe, 0x1d, 0x7c], //             mov si, 7c1dh: what follows the code
    ...[0xfc, 0xba, 0xf8, 0x03], //       cld; mov dx, 3f8h: the first serial port
    ...[0xac, 0x84, 0xc0, 0x74, 0x03], // next: lodsb; test al, al; jz off
    ...[0xee, 0xeb, 0xf8], //             out dx, al; jmp next
    ...[0xba, 0x04, 0x06], //             off: mov dx, 604h: where SeaBIOS puts PM1a_CNT of ACPI
    ...[0xb8, 0x00, 0x20, 0xef], //       mov ax, 2000h; out dx, ax: SLP_EN, soft off on QEMU's pc board
    ...[0xf4, 0xeb, 0xfd], //             halt: hlt; jmp halt
  ])
  const image = Buffer.alloc(1 << 20)
  code.copy(image)
  image.write(`\r\n${line}\r\n`, code.length, 'latin1')
  image.writeUInt16LE(0xaa55, 510)
  const file = join(folder, 'disk.img')
  writeFileSync(file, image)
  return { drive: `file=${file}`, line }
}

/** The first loader of installed systems, below `EFI/`: where these distributions put their shim, with GRUB beside it. */
export const installedShims = {
  debian: 'debian/shimx64.efi',
  fedora: 'fedora/shimx64.efi',
  suse: 'opensuse/shim.efi',
} as const

/** Shim and GRUB for installed systems, and shim's fallback, as paths on this machine. */
export interface UefiFiles {
  readonly shim: string
  readonly grub: string
  readonly fallback?: string
  /** UEFI's name of the processor (UEFI 2.10, 3.5.1.1). */
  readonly cpu: string
}

/** As Debian signs them. */
export const uefiDiskFiles = {
  shim: '/usr/lib/shim/shimx64.efi.signed',
  fallback: '/usr/lib/shim/fbx64.efi.signed',
  grub: '/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed',
  cpu: 'x64',
} as const

/** What a test passes to `requireClient` for `uefiDisk`. */
export const uefiDiskNeeds = [uefiDiskFiles.shim, uefiDiskFiles.fallback, uefiDiskFiles.grub] as const

/** Folders in which GRUBs of Debian look for their configuration, on the disk that they came from. */
const configFolders = ['EFI/debian', 'debian-installer/arm64/grub', 'grub']

/**
 * An EFI system partition, which QEMU makes of a folder, with the files that installed systems have there: shim, which
 * looks for GRUB beside itself, and the loader of removable media with shim's fallback. A lone GRUB would boot also
 * when its loader names the wrong device. GRUB says one sentence.
 *
 * @param loaders Below `EFI/`. GRUB must start the first one. Files without `shim` or `BOOT` in their name are GRUB.
 */
export function uefiDisk(
  folder: string,
  loaders: readonly [string, ...string[]],
  files: UefiFiles = uefiDiskFiles,
): Disk {
  const line = 'LOCAL DISK UEFI'
  const esp = join(folder, 'esp')
  const put = (from: string, to: string): void => {
    mkdirSync(dirname(join(esp, to)), { recursive: true })
    copyFileSync(from, join(esp, to))
  }
  const putShim = (to: string): void => {
    put(files.shim, `EFI/${to}`)
    put(files.grub, `EFI/${dirname(to)}/grub${files.cpu}.efi`)
  }
  // In the case in which GRUB asks for it, which does not matter to a FAT file system.
  const removable = `BOOT/BOOT${files.cpu}.EFI`
  for (const loader of loaders) {
    if (/shim|BOOT/.test(loader)) putShim(loader)
    else put(files.grub, `EFI/${loader}`)
  }
  if (!loaders.includes(removable)) {
    put(files.shim, `EFI/${removable}`)
    if (files.fallback) put(files.fallback, `EFI/BOOT/fb${files.cpu}.efi`)
  }
  for (const name of configFolders) {
    mkdirSync(join(esp, name), { recursive: true })
    writeFileSync(join(esp, name, 'grub.cfg'), `echo ${line}\nhalt\n`)
  }
  return { drive: `file=fat:rw:${esp}`, line, loader: loaders[0] }
}

/** An EFI system partition with one loader, below `EFI/`, in a place where nobody looks. */
export function strangeUefiDisk(folder: string): string {
  const strange = join(folder, 'strange/EFI/vendorx')
  mkdirSync(strange, { recursive: true })
  copyFileSync(uefiDiskFiles.grub, join(strange, 'start.efi'))
  return `file=fat:rw:${join(folder, 'strange')}`
}

/** The files that GRUB started, by the line `file path: .../File(\EFI\debian)/File(shimx64.efi)`, which is wrapped. */
export function startedByGrub(screen: string): string[] {
  const files = screen
    .replace(/[\r\n]/g, '')
    .matchAll(/file path: .*?\/File\(\\EFI\\([^)]*)\)\/File\(([^)]*)\)/g)
  return [...files].map(([, folder, file]) => `${folder}/${file}`)
}
