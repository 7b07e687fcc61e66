import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Child, run, startChild } from '../../../server/cli/demo/child.ts'
import type { Lan } from '../../../server/cli/demo/lan.ts'
import { type MachineOptions, machineCommand } from '../../../server/cli/demo/machine.ts'
import type { Bench } from './lab.ts'

/** Disks that say one sentence when a machine boots them. */

export interface Disk {
  /** What QEMU's `-drive` is told of it. */
  readonly drive: string
  /** What it says on the serial line when it is booted. It then powers the machine off. */
  readonly line: string
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

/** An EFI system partition, which QEMU makes of a folder, with a GRUB that knows one sentence. */
export function uefiDisk(folder: string): Disk {
  const line = 'LOCAL DISK UEFI'
  const esp = join(folder, 'esp')
  const config = join(folder, 'disk.cfg')
  mkdirSync(join(esp, 'EFI/BOOT'), { recursive: true })
  writeFileSync(config, `echo ${line}\nhalt\n`)
  run(
    'grub-mkstandalone',
    '--format=x86_64-efi',
    `--output=${join(esp, 'EFI/BOOT/BOOTX64.EFI')}`,
    ...['--install-modules=normal echo halt', '--modules=normal echo halt'],
    ...['--locales=', '--fonts=', '--themes='],
    `boot/grub/grub.cfg=${config}`,
  )
  return { drive: `file=fat:rw:${esp}`, line }
}
