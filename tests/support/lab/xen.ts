import { type Child, startChild } from '../../../server/cli/demo/child.ts'
import type { UndoStack } from '../../../server/cli/demo/undo.ts'
import { makeDom0 } from './xen-dom0.ts'

export interface XenOptions {
  /** For Xen, its kernel and its initrd. */
  readonly folder: string
  /** Where dom0 finds treeboot. */
  readonly treeboot: string
  /** These it installs one after the other, and powers off. */
  readonly guests: readonly string[]
}

/**
 * A machine that runs Xen under software emulation. What Xen, dom0 and the guests say on their consoles is its `output`.
 *
 * Without `-smap` a PV dom0 dies at once there; with MONITOR/MWAIT Xen panics when idle; RDTSCP kills HVM guests. Seen
 * with Xen 4.17 and QEMU 7.2.
 */
export function startXen(undo: UndoStack, { folder, treeboot, guests }: XenOptions): Child {
  const { hypervisor, kernel, initrd } = makeDom0(folder)
  const words = [
    'console=hvc0',
    'quiet',
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
    // Multiboot modules: a comma parts them, and the first word of each is its file.
    ...['-initrd', `${kernel} ${words.join(' ')},${initrd}`],
    ...['-netdev', 'user,id=net0', '-device', 'virtio-net-pci,netdev=net0,mac=52:54:00:aa:bb:10,romfile='],
    // Without it the kernel of dom0 waits for randomness.
    ...['-device', 'virtio-rng-pci'],
  ])
}
