import { formatCmdline } from '../core/boot/kernel-args.ts'
import type { InstallPlan } from '../core/boot/plan.ts'
import { Failure } from '../core/failure.ts'
import { canonicalArch } from '../core/tree/arch.ts'
import { fileName, localImages, type Machine, machineOf, shellNotes } from './machine.ts'
import { qemuPart, shellWord } from './quote.ts'

interface Board {
  readonly program: string
  readonly options: readonly string[]
  /** Suffix of the names of virtio devices (`virtio-net-pci`); boards without usable PCI have another. */
  readonly bus: 'pci' | 'ccw' | 'device'
}

/**
 * `-cpu max` on PCs: QEMU's own choice is a processor of 2003, with KVM too. Enterprise Linux 9 panics on it at once,
 * because it needs x86-64-v2, and 10 needs v3.
 */
const boards: Readonly<Record<string, Board>> = {
  x86_64: {
    program: 'qemu-system-x86_64',
    options: ['-machine', 'accel=kvm:tcg', '-cpu', 'max'],
    bus: 'pci',
  },
  i386: { program: 'qemu-system-i386', options: ['-machine', 'accel=kvm:tcg', '-cpu', 'max'], bus: 'pci' },
  aarch64: {
    program: 'qemu-system-aarch64',
    options: ['-machine', 'virt,accel=kvm:tcg', '-cpu', 'max'],
    bus: 'pci',
  },
  armhfp: { program: 'qemu-system-arm', options: ['-machine', 'virt'], bus: 'device' },
  ppc64: { program: 'qemu-system-ppc64', options: ['-machine', 'pseries,accel=kvm:tcg'], bus: 'pci' },
  ppc64le: { program: 'qemu-system-ppc64', options: ['-machine', 'pseries,accel=kvm:tcg'], bus: 'pci' },
  s390x: {
    program: 'qemu-system-s390x',
    options: ['-machine', 's390-ccw-virtio,accel=kvm:tcg'],
    bus: 'ccw',
  },
  riscv64: { program: 'qemu-system-riscv64', options: ['-machine', 'virt'], bus: 'pci' },
}

/**
 * Shell commands that fetch kernel and initrd, create a disk, and boot. `-no-reboot` ends QEMU when the
 * installer reboots, because the installer would start again.
 */
export function renderQemu(plan: InstallPlan): string {
  if (plan.virt === 'pv')
    throw new Failure(
      'unsupported',
      'QEMU alone runs no PV guest: ask for virt=hvm, or for as=xl or as=libvirt',
    )
  const arch = canonicalArch(plan.tree.arch).replace(/_v\d$/, '')
  const board = Object.hasOwn(boards, arch) ? boards[arch] : undefined
  if (!board)
    throw new Failure(
      'unsupported',
      `no QEMU machine known for ${plan.tree.arch || 'an unknown architecture'}; known are ${Object.keys(boards).join(', ')}`,
    )
  const machine = machineOf(plan)
  const files = localImages('./', plan, machine.name)
  const disk = `${fileName(machine.name)}.qcow2`
  const options: readonly (readonly string[])[] = [
    board.options,
    ['-name', qemuPart(machine.name)],
    ...(machine.uuid === undefined ? [] : [['-uuid', machine.uuid]]),
    ['-m', String(machine.memory)],
    ['-smp', String(machine.vcpus)],
    ['-drive', `file=${qemuPart(disk)},format=qcow2,if=virtio`],
    ...networks(machine, board),
    ['-kernel', files.kernel],
    ['-initrd', files.initrd],
    ['-append', formatCmdline(plan.args)],
    ['-no-reboot'],
  ]
  const command = options.map((words) => words.map(shellWord).join(' ')).join(' \\\n  ')
  const steps = [
    `curl -fo ${shellWord(files.kernel)} ${shellWord(files.kernelUrl)}`,
    `curl -fo ${shellWord(files.initrd)} ${shellWord(files.initrdUrl)}`,
    `{ [ -e ${shellWord(disk)} ] || qemu-img create -f qcow2 ${shellWord(disk)} ${machine.disk}G; }`,
    `${board.program} ${command}`,
  ]
  // Joined, so that a failed download is not followed by a boot of an older file.
  return `${shellNotes(plan)}${steps.join(' &&\n')}\n`
}

function networks(machine: Machine, board: Board): string[][] {
  const { network } = machine
  // libvirt's default network is the bridge virbr0; of other networks only libvirt knows the bridge.
  if (network.kind === 'network' && network.name !== 'default')
    throw new Failure(
      'unsupported',
      `QEMU does not know libvirt's network ${JSON.stringify(network.name)}: expected virt.network bridge=NAME or user`,
    )
  const bridge = network.kind === 'network' ? 'virbr0' : network.name
  const backend = network.kind === 'user' ? 'user' : `bridge,br=${qemuPart(bridge)}`
  const model =
    network.model === undefined || network.model === 'virtio' ? `virtio-net-${board.bus}` : network.model
  const macs: readonly (string | undefined)[] = machine.macs.length === 0 ? [undefined] : machine.macs
  return macs.flatMap((mac, index) => [
    ['-netdev', `${backend},id=net${index}`],
    ['-device', `${qemuPart(model)},netdev=net${index}${mac === undefined ? '' : `,mac=${qemuPart(mac)}`}`],
  ])
}
