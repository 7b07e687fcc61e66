import { formatCmdline } from '../core/boot/kernel-args.ts'
import type { InstallPlan } from '../core/boot/plan.ts'
import { Failure } from '../core/failure.ts'
import { fileName, localImages, machineOf, notesOf } from './machine.ts'
import { shellWord, xlString } from './quote.ts'

/**
 * An xl.cfg (xl.cfg(5), Xen 4.10 and newer). HVM guests boot their kernel directly as PV guests do; that
 * needs QEMU's device model and SeaBIOS, which are the defaults. xl reads local files, so comments at the top
 * say how to fetch kernel and initrd. Both kinds of guest were installed in this way with Xen 4.17.
 */
export function renderXl(plan: InstallPlan): string {
  const machine = machineOf(plan)
  const files = localImages('/var/lib/xen/boot/', plan, machine.name)
  const disk = `/var/lib/xen/images/${fileName(machine.name)}.qcow2`
  const device = plan.virt === 'pv' ? 'xvda' : 'hda'
  const strings = (values: readonly string[]): string => `[${values.map(xlString).join(', ')}]`
  return [
    ...notesOf(plan).map((note) => `# ${note}`),
    '# xl reads local files. Before the first "xl create", in this order:',
    `# mkdir -p /var/lib/xen/boot /var/lib/xen/images`,
    `# curl -fo ${shellWord(files.kernel)} ${shellWord(files.kernelUrl)}`,
    `# curl -fo ${shellWord(files.initrd)} ${shellWord(files.initrdUrl)}`,
    `# qemu-img create -f qcow2 ${shellWord(disk)} ${machine.disk}G`,
    `name = ${xlString(machine.name)}`,
    ...(machine.uuid === undefined ? [] : [`uuid = ${xlString(machine.uuid)}`]),
    `type = ${xlString(plan.virt)}`,
    `memory = ${machine.memory}`,
    `vcpus = ${machine.vcpus}`,
    `kernel = ${xlString(files.kernel)}`,
    `ramdisk = ${xlString(files.initrd)}`,
    `cmdline = ${xlString(formatCmdline(plan.args))}`,
    // target= takes the rest of the string, so it comes last (xl-disk-configuration(5)).
    `disk = ${strings([`format=qcow2, vdev=${device}, access=rw, target=${disk}`])}`,
    `vif = ${strings(vifs(machine.macs, bridgeOf(machine.network.kind, machine.network.name)))}`,
    ...(plan.virt === 'hvm' ? ['serial = "pty"', 'vnc = 1'] : []),
    '# The kernel above is the installer: it must not start again after the installation.',
    'on_poweroff = "destroy"',
    'on_reboot = "destroy"',
    'on_crash = "preserve"',
    '',
  ].join('\n')
}

function vifs(macs: readonly string[], bridge: string | undefined): readonly string[] {
  const bridgePart = bridge === undefined ? [] : [`bridge=${bridge}`]
  // An empty entry is a card with Xen's defaults.
  if (macs.length === 0) return [bridgePart.join(',')]
  return macs.map((mac) => [`mac=${mac}`, ...bridgePart].join(','))
}

/** Xen's hotplug scripts take a bridge; without one they take the first (xen-network: xenbr0). */
function bridgeOf(kind: 'bridge' | 'network' | 'user', name: string): string | undefined {
  if (kind === 'network' && name === 'default') return undefined
  if (kind !== 'bridge')
    throw new Failure('unsupported', 'xl knows bridges only: set virt.network to bridge=NAME')
  if (name.includes(','))
    throw new Failure('invalid-data', `bridge ${JSON.stringify(name)}: a vif holds no comma`)
  return name
}
