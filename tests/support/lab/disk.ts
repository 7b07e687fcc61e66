import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Child, startChild } from '../../../server/cli/demo/child.ts'
import type { Lan } from '../../../server/cli/demo/lan.ts'
import { type MachineOptions, machineCommand } from '../../../server/cli/demo/machine.ts'
import type { Bench } from './lab.ts'

/** Disks that say one sentence when a machine boots them. */

export interface Disk {
  /** What QEMU's `-drive` is told of it. */
  readonly drive: string
  /** What it says on the serial line when it is booted. It then powers the machine off. */
  readonly line: string
  /** The file below `EFI/` that GRUB must start, and no other: GRUB beside it would say the same line. */
  readonly loader?: string
}

/** Starts a machine as `startMachine` does, with a disk that comes second in its boot order. */
export function startWithDisk(bench: Bench, options: MachineOptions, drive: string, lan: Lan): Child {
  const variables = join(bench.folder, 'variables.fd')
  if (options.firmware === 'uefi') copyFileSync('/usr/share/OVMF/OVMF_VARS_4M.fd', variables)
  const [file = '', ...args] = machineCommand(options, variables)
  const disk = ['-drive', `if=none,id=disk,format=raw,${drive}`]
  const controller = ['-device', 'virtio-blk-pci,drive=disk,bootindex=2']
  return startChild(bench.undo, lan.inside([file, ...args, ...disk, ...controller]))
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

/** What `uefiDisk` needs: shim and GRUB as Debian signs them for installed systems. */
export const uefiDiskFiles = {
  shim: '/usr/lib/shim/shimx64.efi.signed',
  fallback: '/usr/lib/shim/fbx64.efi.signed',
  grub: '/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed',
} as const

/**
 * An EFI system partition, which QEMU makes of a folder, with the files that an installed system has there: shim, which
 * looks for GRUB beside itself, and the loader of removable media with shim's fallback. A lone GRUB would boot also
 * when its loader names the wrong device. GRUB says one sentence.
 */
export function uefiDisk(folder: string, installed: keyof typeof installedShims = 'debian'): Disk {
  const line = 'LOCAL DISK UEFI'
  const efi = join(folder, 'esp/EFI')
  const put = (from: string, to: string): void => {
    mkdirSync(dirname(join(efi, to)), { recursive: true })
    copyFileSync(from, join(efi, to))
  }
  const { shim, fallback, grub } = uefiDiskFiles
  const first = installedShims[installed]
  put(shim, first)
  put(grub, `${dirname(first)}/grubx64.efi`)
  put(shim, 'BOOT/BOOTX64.EFI')
  put(fallback, 'BOOT/fbx64.efi')
  // The folder in which Debian's GRUB looks, whatever its own is.
  mkdirSync(join(efi, 'debian'), { recursive: true })
  writeFileSync(join(efi, 'debian/grub.cfg'), `echo ${line}\nhalt\n`)
  return { drive: `file=fat:rw:${join(folder, 'esp')}`, line, loader: first }
}
