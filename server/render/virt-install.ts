import { formatCmdline } from '../core/boot/kernel-args.ts'
import type { InstallPlan } from '../core/boot/plan.ts'
import { canonicalArch } from '../core/tree/arch.ts'
import { machineOf, shellNotes } from './machine.ts'
import { shellWord, virtInstallPart } from './quote.ts'

/**
 * A `virt-install` command, one option a line. virt-install itself adds `inst.repo=`, `method=` or `install=`
 * for the families it knows. Our arguments always have it, because other families need it; the same value
 * twice does no harm.
 */
export function renderVirtInstall(plan: InstallPlan): string {
  const machine = machineOf(plan)
  const cmdline = formatCmdline(plan.args)
  const options: (readonly [string, string?])[] = [
    ...(machine.hypervisor === 'xen' ? [['--connect', 'xen:///system'] as const] : []),
    ['--name', machine.name],
    ...(machine.uuid === undefined ? [] : [['--uuid', machine.uuid] as const]),
    ['--virt-type', machine.hypervisor],
    [plan.virt === 'pv' ? '--paravirt' : '--hvm'],
    ['--arch', hostArch(plan.tree.arch)],
    ['--memory', String(machine.memory)],
    ['--vcpus', String(machine.vcpus)],
    ['--disk', `size=${machine.disk}`],
    ...networks(machine.network.written, machine.macs),
    // Trees that libosinfo does not know install as well.
    ['--osinfo', 'detect=on,require=off'],
    ['--location', location(plan)],
    ...(cmdline === '' ? [] : [['--extra-args', cmdline] as const]),
  ]
  const lines = options.map(([name, value]) => (value === undefined ? name : `${name} ${shellWord(value)}`))
  return `${shellNotes(plan)}virt-install ${lines.join(' \\\n  ')}\n`
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
