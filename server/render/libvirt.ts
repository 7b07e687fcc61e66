import { formatCmdline } from '../core/boot/kernel-args.ts'
import type { InstallPlan } from '../core/boot/plan.ts'
import { Failure } from '../core/failure.ts'
import { canonicalArch } from '../core/tree/arch.ts'
import { fileName, isX86, localImages, type Machine, machineOf, needsMaximumCpu, notesOf } from './machine.ts'
import { shellWord, xmlComment, xmlText } from './quote.ts'
import { hostArch } from './virt-install.ts'

/**
 * A libvirt domain that boots the installer directly, for `virsh define` or `virsh create`. libvirt takes
 * local paths only (formatdomain, "Direct kernel boot"), so a comment at the top says how to fetch kernel and
 * initrd. When the guest reboots after the installation the domain is destroyed: with <kernel> still there it
 * would install again.
 */
export function renderLibvirt(plan: InstallPlan): string {
  const machine = machineOf(plan)
  const files = localImages('/var/lib/libvirt/boot/', plan, machine.name)
  const disk = `/var/lib/libvirt/images/${fileName(machine.name)}.qcow2`
  return [
    '<!--',
    ...notesOf(plan).map((note) => `  ${comment(note)}`),
    '  libvirt reads local files. Before "virsh create", in this order:',
    `  ${comment(`curl -fo ${shellWord(files.kernel)} ${shellWord(files.kernelUrl)}`)}`,
    `  ${comment(`curl -fo ${shellWord(files.initrd)} ${shellWord(files.initrdUrl)}`)}`,
    `  ${comment(`qemu-img create -f qcow2 ${shellWord(disk)} ${machine.disk}G`)}`,
    '  Once installed, remove kernel, initrd and cmdline from the os element.',
    '-->',
    `<domain type='${machine.hypervisor}'>`,
    `  <name>${xmlText(machine.name)}</name>`,
    ...(machine.uuid === undefined ? [] : [`  <uuid>${xmlText(machine.uuid)}</uuid>`]),
    `  <memory unit='MiB'>${machine.memory}</memory>`,
    `  <vcpu>${machine.vcpus}</vcpu>`,
    '  <os>',
    `    ${osType(machine, plan)}`,
    `    <kernel>${xmlText(files.kernel)}</kernel>`,
    `    <initrd>${xmlText(files.initrd)}</initrd>`,
    `    <cmdline>${xmlText(formatCmdline(plan.args))}</cmdline>`,
    '  </os>',
    ...(isX86(plan) && plan.virt === 'hvm'
      ? ['  <features>', '    <acpi/>', '    <apic/>', '  </features>']
      : []),
    ...cpuModel(machine, plan),
    '  <on_poweroff>destroy</on_poweroff>',
    '  <on_reboot>destroy</on_reboot>',
    '  <on_crash>destroy</on_crash>',
    '  <devices>',
    ...devices(machine, plan, disk).map((line) => `    ${line}`),
    '  </devices>',
    '</domain>',
    '',
  ].join('\n')
}

/**
 * A command for an XML comment, which cannot hold `--`. A URL means the same with one dash percent-encoded,
 * and our file names have no double dash.
 */
function comment(command: string): string {
  return xmlComment(command.replaceAll('--', '-%2D'))
}

function osType(machine: Machine, plan: InstallPlan): string {
  const arch = xmlText(hostArch(plan.tree.arch))
  if (plan.virt === 'pv') return `<type arch='${arch}' machine='xenpv'>linux</type>`
  if (machine.hypervisor === 'xen') return `<type arch='${arch}' machine='xenfv'>hvm</type>`
  const board = boards.get(canonicalArch(plan.tree.arch))
  return board === undefined
    ? `<type arch='${arch}'>hvm</type>`
    : `<type arch='${arch}' machine='${board}'>hvm</type>`
}

/** QEMU's machine types for architectures where it has no default, or an unsuitable one. */
const boards: ReadonlyMap<string, string> = new Map([
  ['aarch64', 'virt'],
  ['armhfp', 'virt'],
  ['riscv64', 'virt'],
  ['ppc64', 'pseries'],
  ['ppc64le', 'pseries'],
  ['s390x', 's390-ccw-virtio'],
])

function cpuModel(machine: Machine, plan: InstallPlan): string[] {
  if (plan.virt === 'hvm' && machine.hypervisor === 'kvm') return [`  <cpu mode='host-passthrough'/>`]
  return needsMaximumCpu(plan, machine) ? [`  <cpu mode='maximum'/>`] : []
}

function devices(machine: Machine, plan: InstallPlan, disk: string): string[] {
  const xen = machine.hypervisor === 'xen'
  const [target, bus] = xen ? ['xvda', 'xen'] : ['vda', 'virtio']
  return [
    `<disk type='file' device='disk'>`,
    `  <driver name='qemu' type='qcow2'/>`,
    `  <source file='${xmlText(disk)}'/>`,
    `  <target dev='${target}' bus='${bus}'/>`,
    '</disk>',
    ...interfaces(machine, xen),
    ...consoles(plan),
    ...(isX86(plan) && plan.virt === 'hvm' ? [`<graphics type='vnc' port='-1' listen='127.0.0.1'/>`] : []),
  ]
}

function consoles(plan: InstallPlan): string[] {
  if (plan.virt === 'pv') return [`<console type='pty'><target type='xen'/></console>`]
  if (canonicalArch(plan.tree.arch) === 's390x')
    return [`<console type='pty'><target type='sclp'/></console>`]
  return [`<serial type='pty'/>`, `<console type='pty'><target type='serial'/></console>`]
}

function interfaces(machine: Machine, xen: boolean): string[] {
  const { network } = machine
  if (xen && network.kind === 'user')
    throw new Failure(
      'unsupported',
      'Xen has no user network: set virt.network to bridge=NAME or network=NAME',
    )
  const source = network.kind === 'user' ? [] : [`  <source ${network.kind}='${xmlText(network.name)}'/>`]
  const model = network.model ?? (xen ? undefined : 'virtio')
  const macs: readonly (string | undefined)[] = machine.macs.length === 0 ? [undefined] : machine.macs
  return macs.flatMap((mac) => [
    `<interface type='${network.kind}'>`,
    ...(mac === undefined ? [] : [`  <mac address='${xmlText(mac)}'/>`]),
    ...source,
    ...(model === undefined ? [] : [`  <model type='${xmlText(model)}'/>`]),
    '</interface>',
  ])
}
