import { type Child, startChild } from '../../../server/emulator/child.ts'
import type { UndoStack } from '../../../server/emulator/undo.ts'
import { makeDom0 } from './xen-dom0.ts'

export interface XenOptions {
  /** The folder for the files of Xen, of its kernel and of its initrd. */
  readonly folder: string
  /** The URL of treeboot for dom0. */
  readonly treeboot: string
  /** The guests that dom0 installs one after the other before it powers off. */
  readonly guests: readonly string[]
}

/**
 * A machine that runs Xen under software emulation. Its `output` is the text on the consoles of Xen, dom0 and
 * the guests.
 *
 * Without `-smap` a PV dom0 dies at once there; with MONITOR/MWAIT Xen panics when idle; RDTSCP kills HVM
 * guests. Seen with Xen 4.17 and QEMU 7.2.
 */
export function startXen(undo: UndoStack, { folder, treeboot, guests }: XenOptions): Child {
  const { hypervisor, kernel, initrd } = makeDom0(folder)
  const words = [
    'console=hvc0',
    'quiet',
    // QEMU's own network gives out the addresses from 10.0.2.15 on, to the guests of dom0.
    'dom0.address=10.0.2.10/24',
    `dom0.treeboot=${treeboot}`,
    `dom0.guests=${guests.join('+')}`,
  ]
  return startChild(undo, [
    ...(['qemu-system-x86_64', '-nodefaults', '-no-reboot'] as const),
    ...['-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-m', '1536'],
    ...['-machine', 'q35,accel=tcg', '-cpu', 'EPYC,+svm,-smap,-monitor,-rdtscp'],
    ...['-kernel', hypervisor],
    ...['-append', 'console=com1 com1=115200,8n1 spec-ctrl=no cpuidle=0 dom0_mem=768M,max:768M'],
    // Multiboot modules are separated by commas, and the first word of each is its file.
    ...['-initrd', `${kernel} ${words.join(' ')},${initrd}`],
    ...['-netdev', 'user,id=net0', '-device', 'virtio-net-pci,netdev=net0,mac=52:54:00:aa:bb:10,romfile='],
    // Without this device the kernel of dom0 waits for randomness.
    ...['-device', 'virtio-rng-pci'],
  ])
}
