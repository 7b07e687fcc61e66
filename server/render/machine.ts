import type { InstallPlan } from '../core/boot/plan.ts'
import { fileBase, urlOfPath } from '../core/boot/urls.ts'
import { Failure } from '../core/failure.ts'
import type { Hypervisor } from '../core/guest/guest.ts'

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
  readonly network: Network
}

/** The value of `virt.network`, taken apart. */
export interface Network {
  readonly kind: 'bridge' | 'network' | 'user'
  /** Name of the bridge or of the libvirt network; '' for `user`. */
  readonly name: string
  /** NIC model that the operator asks for. */
  readonly model?: string
  /** The network as the operator wrote it, which is virt-install's spelling. */
  readonly written: string
}

export function machineOf(plan: InstallPlan): Machine {
  const { guest } = plan
  const virt = guest?.settings.virt
  // Only Xen runs PV guests, whatever else is configured.
  const hypervisor = plan.virt === 'pv' ? 'xen' : (virt?.hypervisor.value ?? 'kvm')
  return {
    name: guest?.name ?? fileName(plan.tree.id),
    ...(guest?.uuid !== undefined && { uuid: guest.uuid }),
    macs: guest?.macs ?? [],
    hypervisor,
    memory: virt?.memory.value ?? 2048,
    vcpus: virt?.vcpus.value ?? 2,
    disk: virt?.disk.value ?? 20,
    network: parseNetwork(virt?.network.value ?? 'network=default'),
  }
}

/**
 * `bridge=br0`, `network=default`, `user`, each maybe with `,model=virtio`: the forms of virt-install that
 * every hypervisor has.
 */
function parseNetwork(written: string): Network {
  const [first = '', ...rest] = written.split(',')
  const [kind = '', name = ''] = first.split('=', 2)
  const model = rest.find((part) => part.startsWith('model='))?.slice('model='.length)
  const more = { written, ...(model !== undefined && { model }) }
  if (kind === 'user' || kind === 'default') return { kind: 'user', name: '', ...more }
  if ((kind === 'bridge' || kind === 'network') && name !== '') return { kind, name, ...more }
  throw new Failure(
    'unsupported',
    `network ${JSON.stringify(written)}: expected bridge=NAME, network=NAME or user (virt.network of the guest or its profile)`,
  )
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
