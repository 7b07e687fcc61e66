import type { ReasonId } from './reason-ids.ts'

/**
 * One boot of a machine, from its first packet to its own disk: what it asked for, step by step, and where it is. All times
 * are milliseconds since 1970.
 */

/** The steps of a boot, in the order in which machines take them. Each is in a boot at most once. */
export const stepKinds = [
  'dhcp-asked',
  'dhcp-offered',
  'dhcp-confirmed',
  'loader',
  'configuration',
  'kernel',
  'initrd',
  'stage2',
  'answer-file',
  'log',
  'packages',
  'report',
  'end',
  'disk',
] as const

export type StepKind = (typeof stepKinds)[number]

/** For tables and pages. */
export const stepWords: Readonly<Record<StepKind, string>> = {
  'dhcp-asked': 'DHCP asked',
  'dhcp-offered': 'DHCP offered',
  'dhcp-confirmed': 'DHCP confirmed',
  loader: 'loader',
  configuration: 'configuration',
  kernel: 'kernel',
  initrd: 'initrd',
  stage2: 'stage 2',
  'answer-file': 'answer file',
  log: 'installer log',
  packages: 'packages',
  report: 'report',
  end: 'end',
  disk: 'own disk',
}

/**
 * `running`: it has begun, and its end has not come. `missing`: what was asked for is not there. `broken-off`: a transfer
 * ended early. `failed`: we could not serve it, or the machine said that it failed. A later success replaces all of them.
 */
export type StepStatus = 'running' | 'done' | 'missing' | 'broken-off' | 'failed'

export interface Step {
  readonly kind: StepKind
  readonly status: StepStatus
  readonly startMs: number
  readonly endMs: number
  /** Bytes of files that the machine got. */
  readonly bytes: number
  /** Bytes in a second: of the last transfer, for packages of the last seconds. */
  readonly rate: number
  /** Files, packages, packets, reports or lines. */
  readonly count: number
  /** Packets and files that were sent again. */
  readonly retries: number
  /** Usual side effects: HEAD before GET, size probes, names that loaders look for and do not need. */
  readonly folded: number
  /** The newest file that the machine got; what was decided, offered or reported; the stage that the log names. */
  readonly what: string
  /** What the machine said of itself or of its failure, as sent. */
  readonly words?: string
  /** The newest name that was asked for and is not there, unless loaders look for it and do not need it. */
  readonly lost?: string
  /** The newest line of the log that names a fault. */
  readonly fault?: string
  /** How often in a row the machine fetched the same file. */
  readonly again: number
  /** Since when, and how many bytes: what `rate` of packages is made from. */
  readonly window?: { readonly sinceMs: number; readonly bytes: number }
}

/**
 * `running`: something happens. `stalled`: quiet for longer than usual after the kernel was loaded. `done`: installed, or
 * sent to its own disk. `failed`: it told us so. `gone`: it went quiet before anything was installed.
 */
export const bootStates = ['stalled', 'failed', 'running', 'done', 'gone'] as const

export type BootState = (typeof bootStates)[number]

/** What a boot was told to do. `other`: a configuration that somebody wrote by hand. */
export type BootPurpose = 'install' | 'menu' | 'local-disk' | 'refuse' | 'other'

/** What the rules of `reasons.ts` need to know beside the steps. */
export interface Signs {
  /** Transaction id of the newest DHCP request. */
  readonly xid?: number
  /** Why a DHCP request got no offer. */
  readonly silence?: string
  /** The server that the machine asked for its address. */
  readonly lease?: { readonly server?: string; readonly address?: string }
  /** A loader that we sent runs: it asked by DHCP, as iPXE does. */
  readonly isLoaderRunning?: boolean
  /** The agreed block size of a TFTP transfer of which no block was acknowledged. */
  readonly deadBlksize?: number
  /** Large files that are being sent now, and since when. */
  readonly sending: number
  readonly sendingMs: number
  /** The longest silence after the kernel was loaded that was followed by anything. */
  readonly longestMs?: number
  /** The machine began another boot. */
  readonly replacedMs?: number
}

export interface Boot {
  readonly id: number
  readonly guest?: string
  /** Canonical, the first one named first. */
  readonly macs: readonly string[]
  readonly uuid?: string
  /** The newest last. */
  readonly addresses: readonly string[]
  readonly firmware?: string
  /** The loader that read the configuration. */
  readonly loader?: string
  /** Id of the tree that it was offered. */
  readonly tree?: string
  /** Path of the kernel that it was offered. */
  readonly kernel?: string
  readonly purpose?: BootPurpose
  readonly startMs: number
  /** When the machine was last heard of. */
  readonly lastMs: number
  /** Set when nothing will be added any more. */
  readonly endMs?: number
  readonly state: BootState
  readonly reason?: ReasonId
  readonly steps: readonly Step[]
  readonly signs: Signs
  /** The longest silence of the last installation of this guest that ended well: a slow machine is not late. */
  readonly usualMs?: number
  /** The boot of this machine before, when that one installed it: our own disk step is its last one. */
  readonly after?: number
}

export function stepOf({ steps }: Boot, kind: StepKind): Step | undefined {
  return steps.find((step) => step.kind === kind)
}

export function isDone(boot: Boot, kind: StepKind): boolean {
  return stepOf(boot, kind)?.status === 'done'
}

/** The step that a boot is in: the latest in the order of `stepKinds`. */
export function lastStep({ steps }: Boot): Step | undefined {
  return steps.at(-1)
}

/** How the machine is called: its guest, MAC, UUID or address. */
export function machineName({ guest, macs, uuid, addresses }: Boot): string {
  return guest ?? macs[0] ?? uuid ?? addresses.at(-1) ?? 'unknown'
}
