import { formatCmdline } from '../core/boot/kernel-args.ts'
import type { InstallPlan } from '../core/boot/plan.ts'
import { osinfoName } from '../core/distro/distro.ts'
import type { VirtNetwork } from '../core/guest/virt-network.ts'
import { canonicalArch } from '../core/tree/arch.ts'
import { machineOf, needsMaximumCpu, shellNotes } from './machine.ts'
import { shellWord, virtInstallPart } from './quote.ts'

/**
 * A `virt-install` command, one option a line. virt-install 4.1 adds `inst.repo=`, `method=` or `install=` for the
 * families that it knows, behind `--extra-args`. Our arguments have it already, or another one for a guest that installs
 * by NFS; so they are the whole command line (`kernel_args_overwrite`).
 */
export function renderVirtInstall(plan: InstallPlan): string {
  const machine = machineOf(plan)
  const cmdline = formatCmdline(plan.args)
  const system = osinfoName(plan.tree.distro, plan.tree.version)
  // For a system without a name virt-install makes an IDE disk and an e1000 card, which hardly any kernel needs.
  const isBare = system === undefined && machine.hypervisor !== 'xen'
  const options: (readonly [string, string?])[] = [
    ...(machine.hypervisor === 'xen' ? [['--connect', 'xen:///system'] as const] : []),
    ['--name', machine.name],
    ...(machine.uuid === undefined ? [] : [['--uuid', machine.uuid] as const]),
    ['--virt-type', machine.hypervisor],
    [plan.virt === 'pv' ? '--paravirt' : '--hvm'],
    ['--arch', hostArch(plan.tree.arch)],
    ['--memory', String(machine.memory)],
    ['--vcpus', String(machine.vcpus)],
    // virt-install 4.1 itself names no processor where there is no KVM.
    ...(needsMaximumCpu(plan, machine) ? [['--cpu', 'mode=maximum'] as const] : []),
    ['--disk', `size=${machine.disk}${isBare ? ',bus=virtio' : ''}`],
    ...networks(withModel(machine.network, isBare), machine.macs),
    // Trees that libosinfo does not know install as well.
    ['--osinfo', system === undefined ? 'detect=on,require=off' : `name=${system}`],
    ['--location', location(plan)],
    ...(cmdline === '' ? [] : [['--install', wholeCmdline(cmdline)] as const]),
  ]
  const lines = options.map(([name, value]) => (value === undefined ? name : `${name} ${shellWord(value)}`))
  return `${shellNotes(plan)}virt-install ${lines.join(' \\\n  ')}\n`
}

function wholeCmdline(cmdline: string): string {
  return `kernel_args=${virtInstallPart(cmdline)},kernel_args_overwrite=yes`
}

function withModel({ written, model }: VirtNetwork, isBare: boolean): string {
  return isBare && model === undefined ? `${written},model=virtio` : written
}

function networks(written: string, macs: readonly string[]): (readonly [string, string])[] {
  if (macs.length === 0) return [['--network', written]]
  return macs.map((mac) => ['--network', `${written},mac=${virtInstallPart(mac)}`] as const)
}

/** libvirt's name of an architecture (virArch), where trees use another. `x86_64_v2` is `x86_64` there. */
export function hostArch(arch: string): string {
  const name = canonicalArch(arch)
  if (name === 'i386') return 'i686'
  if (name === 'armhfp') return 'armv7l'
  return name.replace(/_v\d$/, '')
}

/**
 * The value of `--location`: the bare URL when virt-install finds the same two images by itself, in a
 * `.treeinfo` without problems that has the platform it would pick (4.1.0: `images-<arch>`, with `--paravirt`
 * `images-xen`). Otherwise the images are named. Its Python parser is stricter than ours, so any problem in a
 * descriptor rules detection out.
 */
function location(plan: InstallPlan): string {
  const { tree } = plan
  const expected = plan.virt === 'pv' ? 'xen' : tree.arch
  const detected = tree.era.startsWith('treeinfo') && tree.problems.length === 0 && plan.platform === expected
  if (detected) return plan.location
  return [
    plan.location,
    `kernel=${virtInstallPart(plan.kernel.path)}`,
    `initrd=${virtInstallPart(plan.initrd.path)}`,
  ].join(',')
}
