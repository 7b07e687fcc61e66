import type { LoaderOrigin, LoaderPreference } from '../loader/loaders.ts'
import type { InstallSource } from '../services.ts'
import type { NetworkSettings } from './network.ts'
import type { Selector } from './selectors.ts'

/** A value and the place that set it, to answer "why did this guest get that?". */
export interface Sourced<T> {
  readonly value: T
  /** The place, for people: `guest web01 (config.yaml:21)`, `profile base (config.yaml:9)`, `default`. */
  readonly from: string
}

/** The place in a description of a source: `profile web (config.yaml:9)` -> `config.yaml:9`. */
export function lineIn(from: string): string {
  return /\(([^()]+)\)$/.exec(from)?.[1] ?? from
}

/** One tree by its id, or the newest ready tree that has these traits, a finished release before all others. */
export type TreeSelector =
  | { readonly id: string }
  | { readonly distro?: string; readonly version?: string; readonly variant?: string; readonly arch?: string }

export type Hypervisor = 'kvm' | 'qemu' | 'xen'
/** `hvm`: full virtualization. `pv`: Xen paravirtualization. */
export type VirtType = 'hvm' | 'pv'

/** Shape of the virtual machine, for the renderers that describe one. Memory in MiB, disk in GiB. */
export interface VirtSettings {
  readonly hypervisor: Hypervisor
  readonly type: VirtType
  readonly memory: number
  readonly vcpus: number
  readonly disk: number
  /** The network, as virt-install spells it: `bridge=br0`, `network=default`, `user`. */
  readonly network: string
}

/** A value of `vars`, which answer files can use: any plain data. */
export type VarValue =
  | string
  | number
  | boolean
  | null
  | readonly VarValue[]
  | { readonly [key: string]: VarValue }

export type SourcedNetwork = { readonly [K in keyof NetworkSettings]?: Sourced<NetworkSettings[K] & {}> }

/**
 * The settings of a guest or profile, with all that it inherits. The setting nearest to the guest wins;
 * `args` add up, from the root profile to the guest.
 */
export interface Settings {
  readonly tree?: Sourced<TreeSelector>
  /** File name in the templates folder. */
  readonly template?: Sourced<string>
  /** Kernel arguments as the operator wrote them: mostly one each, several where blanks separate them. */
  readonly args: readonly Sourced<string>[]
  /** Removals such as `-ip`: what they remove of `args` is gone, and treeboot's own arguments follow when planned. */
  readonly removals?: readonly Sourced<string>[]
  readonly vars: Readonly<Record<string, Sourced<VarValue>>>
  readonly virt: { readonly [K in keyof VirtSettings]: Sourced<VirtSettings[K]> }
  /** As written, key by key; `networkOf` (resolve-network.ts) makes interfaces of it. */
  readonly network?: SourcedNetwork
  readonly source: Sourced<InstallSource>
  /** Whether a reboot during an installation starts the installation again. */
  readonly retry: Sourced<boolean>
  /** Absent: `dhcp.loader` of config.yaml counts. */
  readonly loader?: Sourced<LoaderPreference>
  /** Absent: each loader from where it is best, see `loaderCandidates`. */
  readonly loaderFrom?: Sourced<LoaderOrigin>
}

export interface Guest {
  readonly name: string
  /** Canonical: lower case, colons. */
  readonly macs: readonly string[]
  /** Canonical: lower case, dashes, RFC 4122 byte order. */
  readonly uuid?: string
  /** As in the configuration. */
  readonly serial?: string
  /** Canonical, see `canonicalIp`. */
  readonly ip?: string
  /**
   * What the machine showed when a profile made it a guest (`auto: install`). It recognises no guest; see `autoGuestOf`.
   */
  readonly shown?: { readonly uuid?: string; readonly serial?: string }
  /** The chain of profiles, nearest first. */
  readonly profiles: readonly string[]
  readonly settings: Settings
  /** `config.yaml:21` */
  readonly definedAt: string
  /**
   * Why its definition cannot be used, in one line: then it has the identities that could be read, and is never
   * installed.
   */
  readonly refused?: string
}

export interface Profile {
  readonly name: string
  readonly inherits: readonly string[]
  readonly settings: Settings
  readonly definedAt: string
  /** Which unknown machines get it, and what then becomes of them. */
  readonly selector?: Pick<Selector, 'auto' | 'alternatives' | 'autoLimit'>
}

/**
 * Facts by which a machine may be recognised, exactly as clients send them (any case, any separators, either
 * UUID byte order).
 */
export interface GuestFacts {
  /** The guest's name in the configuration, from a path or a parameter (`guest=web01`); no firmware sends it. */
  readonly name?: string
  readonly macs?: readonly string[]
  readonly uuid?: string
  readonly serial?: string
  readonly ip?: string
}
