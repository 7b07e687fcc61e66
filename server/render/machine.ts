import { memoryOf, whyTooSmall } from '../core/boot/memory.ts'
import type { InstallPlan } from '../core/boot/plan.ts'
import { fileBase, urlOfPath } from '../core/boot/urls.ts'
import { Failure } from '../core/failure.ts'
import type { Guest, Hypervisor } from '../core/guest/guest.ts'
import { defaultVirt } from '../core/guest/inherit.ts'
import { networkOf } from '../core/guest/resolve-network.ts'
import { networkMeant, type VirtNetwork, virtNetworkOf } from '../core/guest/virt-network.ts'
import { canonicalArch } from '../core/tree/arch.ts'
import { screenText } from './quote.ts'

/**
 * The virtual machine that a plan installs, for the renderers that describe one. Without a guest it has the
 * default shape, `defaultVirt` of core/guest/inherit.ts.
 */
export interface Machine {
  readonly name: string
  readonly uuid?: string
  readonly macs: readonly string[]
  readonly hypervisor: Hypervisor
  /** MiB */
  readonly memory: number
  readonly vcpus: number
  /** GiB */
  readonly disk: number
  readonly network: VirtNetwork
}

export function machineOf(plan: InstallPlan): Machine {
  const { guest } = plan
  const virt = guest?.settings.virt
  // Only Xen runs PV guests, whatever else is configured.
  const hypervisor = plan.virt === 'pv' ? 'xen' : (virt?.hypervisor.value ?? 'kvm')
  return {
    name: guest?.name ?? fileName(plan.tree.id),
    ...(guest?.uuid !== undefined && { uuid: guest.uuid }),
    macs: guest ? cardsOf(guest) : [],
    hypervisor,
    memory: memoryOf(plan),
    vcpus: virt?.vcpus.value ?? defaultVirt.vcpus,
    disk: virt?.disk.value ?? defaultVirt.disk,
    network: parseNetwork(virt?.network.value ?? defaultVirt.network),
  }
}

/** The MACs of a guest's cards: those that identify it, and those that its network names. */
function cardsOf(guest: Guest): readonly string[] {
  const named = networkOf(guest)?.interfaces.flatMap(({ mac }) => mac ?? []) ?? []
  return [...new Set([...guest.macs, ...named])]
}

function parseNetwork(written: string): VirtNetwork {
  const network = virtNetworkOf(written)
  if (network) return network
  throw new Failure(
    'unsupported',
    `network ${JSON.stringify(written)}: ${networkMeant(written)} (virt.network of the guest or its profile)`,
  )
}

/** What whoever makes this machine must know, one line each, for comments. */
export function notesOf(plan: InstallPlan): readonly string[] {
  const tooSmall = whyTooSmall(plan)
  return tooSmall === undefined ? [] : [`WARNING: ${screenText(tooSmall)}`]
}

/** The same as comments of a shell script. */
export function shellNotes(plan: InstallPlan): string {
  return notesOf(plan)
    .map((note) => `# ${note}\n`)
    .join('')
}

/** Also `x86_64_v2` and `x86_64_v3`. */
export function isX86({ tree }: InstallPlan): boolean {
  return /^(x86_64|i386)/.test(canonicalArch(tree.arch))
}

/**
 * Whether the machine needs all that QEMU's emulation can do. By itself QEMU has a processor of 2003: Enterprise Linux 9
 * panics on it at once, because it needs x86-64-v2, and 10 needs v3.
 */
export function needsMaximumCpu(plan: InstallPlan, { hypervisor }: Machine): boolean {
  const hasMaximum = isX86(plan) || canonicalArch(plan.tree.arch) === 'aarch64'
  return plan.virt === 'hvm' && hypervisor === 'qemu' && hasMaximum
}

/** A name that is safe in every file system, URL and comment: letters, digits, `.`, `_`, single dashes. */
export function fileName(text: string): string {
  const name = text.replace(/[^A-Za-z0-9._]+/g, '-').replace(/^[-.]+|-+$/g, '')
  return name === '' ? 'guest' : name
}

/**
 * Local paths and URLs of kernel and initrd: hypervisors read local files only, so commands fetch them first.
 */
export interface LocalImages {
  readonly kernel: string
  readonly initrd: string
  readonly kernelUrl: string
  readonly initrdUrl: string
}

export function localImages(folder: string, plan: InstallPlan, name: string): LocalImages {
  return {
    kernel: `${folder}${fileName(name)}-vmlinuz`,
    initrd: `${folder}${fileName(name)}-initrd`,
    kernelUrl: urlOfPath(fileBase(plan.urls), plan.kernel.urlPath),
    initrdUrl: urlOfPath(fileBase(plan.urls), plan.initrd.urlPath),
  }
}
