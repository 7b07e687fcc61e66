import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Child, startChild } from '../../../server/emulator/child.ts'
import { machineCommand } from '../../../server/emulator/machine.ts'
import type { UndoStack } from '../../../server/emulator/undo.ts'
import { cloudKernelGuest } from './nfs-guest.ts'

const script = readFileSync(join(import.meta.dirname, 'udf-guest-init.sh'))

export interface UdfDisks {
  /** UDF images that the guest reads. */
  readonly read: readonly string[]
  /** Empty UDF volumes that the guest writes. */
  readonly write: readonly string[]
  /** An archive of the files that the guest writes. */
  readonly tar: string
}

/**
 * Starts a guest with the UDF driver of Linux, which the kernel of this machine may lack. It mounts images as
 * disks.
 */
export function startUdfGuest(undo: UndoStack, busybox: string, { read, write, tar }: UdfDisks): Child {
  const applets =
    'cat cut dd find insmod mkdir mount mv poweroff readlink rm sh sha256sum sort sync tar tee tr umount xargs'.split(
      ' ',
    )
  const guest = cloudKernelGuest(busybox, {
    name: 'udf-guest',
    script,
    applets,
    modules: ['virtio_blk', 'nls_utf8', 'udf'],
  })
  const files = [...read, ...write, tar]
  const nameOf = (file: string) => diskName(files.indexOf(file))
  const cmdline = [
    'console=ttyS0',
    `udf.read=${read.map(nameOf).join()}`,
    `udf.write=${write.map(nameOf).join()}`,
    `udf.tar=${nameOf(tar)}`,
  ].join(' ')
  const machine = {
    firmware: 'bios',
    mac: '52:54:00:aa:bb:31',
    memory: 512,
    network: 'user',
    direct: { ...guest, cmdline },
  } as const
  const noUefiVariables = ''
  const [program = '', ...args] = machineCommand(machine, noUefiVariables)
  const disks = files.flatMap((file, i) => [
    ...[
      '-drive',
      `if=none,id=disk${i},format=raw,file=${file},readonly=${read.includes(file) ? 'on' : 'off'}`,
    ],
    ...['-device', `virtio-blk-pci,drive=disk${i}`],
  ])
  return startChild(undo, [program, ...args, ...disks])
}

/** As Linux names virtio disks: vda, vdb, ... */
function diskName(index: number): string {
  return `vd${String.fromCharCode('a'.charCodeAt(0) + index)}`
}

/** What the guest said of a disk, by the position of its file in `[...read, ...write]`. */
export function saidOf(output: string, index: number): { files: string; links: string } | undefined {
  const name = diskName(index)
  const [, files = '', links = ''] =
    new RegExp(`guest: ${name} has files ([0-9a-f]{64}) links ([0-9a-f]{64})`).exec(output) ?? []
  return files === '' ? undefined : { files, links }
}
