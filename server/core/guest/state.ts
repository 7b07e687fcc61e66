import type { Release } from '../tree/tree.ts'
import type { Guest } from './guest.ts'

/**
 * What a guest's machine gets when it asks for boot.
 *
 * - `install`: the installer of its tree. A new guest is `install`: its first boot installs it.
 * - `installing`: an installation began and has not ended. Its own disk, or the installer if it may retry.
 * - `failed`: its installer gave up. Its own disk, or the installer if it may retry.
 * - `installed`, `local`: its own disk, because it was installed or because the operator said so.
 * - `held`: its own disk, because nobody can know that it should be installed, or the operator forbids it; see
 *   `HoldReason`. No retry and no profile ends that.
 */
export type InstallState = 'install' | 'installing' | 'failed' | 'installed' | 'local' | 'held'

/**
 * Why a guest is held. `new store`: there was no record of any guest. `old store`: the record may be older than
 * what happened. `renamed`: its machine is known by the name of another guest. `by admin`: the operator said so.
 */
export type HoldReason = 'new store' | 'old store' | 'renamed' | `by ${string}`

export function isHoldReason(text: unknown): text is HoldReason {
  return typeof text === 'string' && /^(?:new store|old store|renamed|by .+)$/.test(text)
}

/** The installation that one address was offered, and the tree that this address sees until it ends. */
export interface Offer {
  /** Id of the tree. */
  readonly tree: string
  /** The version that was offered, of a tree that treeboot published. */
  readonly release?: ReleaseId
  /**
   * The guest's `tree:` setting at that time, as text. When it changes before an installation begins, the
   * offer ends.
   */
  readonly treeSetting: string
  /** The address that was given the offer. */
  readonly client: string
  /** Path of the kernel in the namespace. Absent in offers that earlier builds of 0.1 stored. */
  readonly kernel?: string
  /** When this tree, in this version, was first offered to the address. */
  readonly firstMs: number
  /** When that address last loaded the kernel. */
  readonly kernelMs?: number
}

/** Which published version it is: a `Release` without its folder. */
export type ReleaseId = Pick<Release, 'id' | 'version'>

/** What we remember of a guest. Times are milliseconds since 1970. */
export interface GuestState {
  readonly state: InstallState
  readonly sinceMs: number
  /** Counts this guest's installations, so that a late report of an earlier one is recognised. */
  readonly install: number
  /** At most one for each address, the newest last. */
  readonly offers?: readonly Offer[]
  /** The address from which the installer fetched its answer file. */
  readonly installer?: string
  /** The reason that the installer last reported for its failure. */
  readonly failure?: string
  /** Only for `held`. */
  readonly hold?: HoldReason
  /** Only for `installing` and `failed`: `retry` was set when this installation began, see `mayRetry`. */
  readonly retry?: true
  /** Only for `install`: what the order of the operator replaced, until the installation begins. */
  readonly before?: ReplacedState
  /** The newest line of the history: when a loader asks five times, one line is written. */
  readonly last?: Omit<HistoryEntry, 'install'>
}

/** What an order of the operator replaces, so that it can be taken back. */
export type ReplacedState = Pick<GuestState, 'state' | 'sinceMs' | 'failure' | 'hold' | 'installer' | 'retry'>

/** What can happen to a guest. */
export type GuestEvent =
  | OfferedEvent
  /** The machine was told to boot its own disk. */
  | { readonly type: 'sent-to-disk'; readonly client: string }
  /** An address that was offered the installer has loaded its kernel. */
  | { readonly type: 'kernel'; readonly client: string }
  | AnswerFileEvent
  | ReportedEvent
  /** The operator wants one installation. */
  | { readonly type: 'install-once' }
  /** The operator takes the order of an installation back, which has not begun. */
  | { readonly type: 'take-back' }
  /** The operator wants the machine to boot its own disk. */
  | { readonly type: 'local' }
  | { readonly type: 'hold'; readonly reason: HoldReason }

/**
 * The machine was told to boot the installer. This is only an offer: loaders ask by several names, try the
 * next card, or fail.
 */
export type OfferedEvent = { readonly type: 'offered' } & Pick<
  Offer,
  'tree' | 'release' | 'treeSetting' | 'client' | 'kernel'
>

/**
 * The guest's answer file is about to be sent. `own`: whether to the address that the configuration gives the
 * guest.
 */
export interface AnswerFileEvent {
  readonly type: 'answer-file'
  readonly client: string
  readonly own: boolean
  /** Whether the guest has `retry`. */
  readonly retry?: boolean
}

/** The installer sent a report. */
export interface ReportedEvent {
  readonly type: 'reported'
  readonly report: Report
  readonly client: string
  readonly detail?: string
  /** The installation that it belongs to, when that is a later one than the record has. */
  readonly install?: number
  /** Whether the guest has `retry`. */
  readonly retry?: boolean
}

/** What an installer can report. */
export type Report = 'installing' | 'progress' | 'installed' | 'failed'
export const reports: readonly Report[] = ['installing', 'progress', 'installed', 'failed']

/** Kinds of lines in a guest's history, as the store spells them. */
export type HistoryKind =
  | 'armed' // the operator wants one installation
  | 'offered'
  | 'kernel' // the kernel of an offer was loaded
  | 'answers' // the answer file was about to be sent
  | 'installing' // this and the next three: what the installer reported
  | 'progress'
  | 'installed'
  | 'failed'
  | 'disk' // the machine was told to boot its own disk
  | 'local' // the operator wants it to boot its own disk
  | 'taken-back' // the operator took the order of an installation back
  | 'held' // it is held, for the reason in `detail`

/** One line of a guest's history. */
export interface HistoryEntry {
  readonly atMs: number
  /** The installation that it belongs to; see `GuestState`. */
  readonly install: number
  readonly kind: HistoryKind
  /** The tree of an offer, the words of a report; '' when there is nothing to add. */
  readonly detail: string
  /** The address of the machine; '' for the operator. */
  readonly client: string
}

/** What an event changes: the new state, and the line for the history. */
export interface Change {
  readonly state: GuestState
  readonly entry: HistoryEntry
}

/** After this long, an order that no machine has come for is worth a word. */
const forgottenMs = 7 * 24 * 3_600_000

/**
 * Why an order of an installation may be forgotten, for people; undefined when it is not. A changed boot order or a
 * mended card would make the machine boot from the network months later, and wipe its disk.
 */
export function whyForgotten(
  name: string,
  { state, sinceMs, offers }: GuestState,
  nowMs: number,
): string | undefined {
  const isOld = state === 'install' && sinceMs > 0 && nowMs - sinceMs > forgottenMs
  if (!isOld || offers !== undefined) return undefined
  return `${name} is to be installed since ${minute(sinceMs)}, and its machine has not booted from the network; if you do not want that any more: treeboot install --take-back ${name}`
}

/** How long an offer binds an address to its tree, if the installation does not end before. */
export const pinnedMs = 24 * 3_600_000

/** 2024-01-01: a clock that says less has no battery, and waits for NTP. */
const leastTrueMs = 1_704_067_200_000

function isTrueTime(ms: number): boolean {
  return ms >= leastTrueMs
}

/** `sinceMs` stays 0 until the state changes for the first time. */
export const newState: GuestState = { state: 'install', sinceMs: 0, install: 0 }

/**
 * A state without its old offers: those of more than 24 hours ago, or as far in the future by a wrong clock. An offer that
 * was made, or is looked at, before the clock was right at all stays: nobody knows how old it is. Without it the machine
 * would be installed and nobody would know that.
 */
export function withoutOldOffers(state: GuestState, nowMs: number): GuestState {
  const offers = state.offers?.filter(
    ({ firstMs }) => isTrueTime(firstMs) !== isTrueTime(nowMs) || Math.abs(nowMs - firstMs) < pinnedMs,
  )
  return offers?.length === state.offers?.length ? state : withOffers(state, offers ?? [])
}

/** The versions of trees that machines may be installing from, as `id@version`. */
export function unfinishedVersions(states: Iterable<GuestState>, nowMs: number): ReadonlySet<string> {
  const versions = new Set<string>()
  for (const stored of states) {
    const { offers = [], state } = withoutOldOffers(stored, nowMs)
    if (!isUnfinished(state)) continue
    for (const { release } of offers) if (release) versions.add(`${release.id}@${release.version}`)
  }
  return versions
}

export function withOffers({ offers: _, ...rest }: GuestState, offers: readonly Offer[]): GuestState {
  return offers.length === 0 ? rest : { ...rest, offers }
}

/** The `tree:` setting of a guest as text, to notice that it was changed since an offer. */
export function treeSettingText(guest: Guest): string {
  return JSON.stringify(guest.settings.tree?.value ?? null)
}

/**
 * The offer that binds a machine of this guest to a tree, in the version that was offered. Before the
 * installation begins, a change of the `tree:` setting ends the offer; then it binds until the installation
 * ends.
 *
 * @param client The address that asks. Its own offer comes first; else the offer whose kernel was loaded
 *   last, else the newest: an installer may have another address than the firmware had.
 */
export function pinnedOffer(guest: Guest, guestState: GuestState, client?: string): Offer | undefined {
  const { state, offers = [] } = guestState
  if (!isUnfinished(state)) return undefined
  const treeSetting = treeSettingText(guest)
  const binding = offers.filter((offer) => state !== 'install' || offer.treeSetting === treeSetting)
  return binding.find((offer) => offer.client === client) ?? likeliestOffer(binding)
}

/**
 * The offer of the machine that is most likely being installed: the last to load its kernel, else the newest.
 */
export function likeliestOffer(offers: readonly Offer[]): Offer | undefined {
  const started = offers.filter(({ kernelMs }) => kernelMs !== undefined)
  return started.toSorted((a, b) => (a.kernelMs ?? 0) - (b.kernelMs ?? 0)).at(-1) ?? offers.at(-1)
}

/** Whether the installation is still to come, under way or failed. Only then offers bind. */
export function isUnfinished(state: InstallState): boolean {
  return state === 'install' || state === 'installing' || state === 'failed'
}

/**
 * Whether an installation that began starts again at a reboot: `retry` is set, and was when it began. A machine whose
 * template does not report is `installing` long after it was installed. To set `retry` in its profile must not wipe it.
 */
export function mayRetry({ settings }: Guest, { retry }: Pick<GuestState, 'retry'>): boolean {
  return settings.retry.value && retry === true
}

/** Whether a machine in this state gets its installer when it asks for boot. `retry`: see `mayRetry`. */
export function bootsInstaller(state: InstallState, retry: boolean): boolean {
  return state === 'install' || (retry && (state === 'installing' || state === 'failed'))
}

/**
 * Whether an event can bring a machine to its installer, or only to its disk. What leads to the disk counts at
 * once, before the store has it. What leads to an installation counts only when the store has it: else a crash
 * would forget that the installation began, and the next network boot would wipe the disk again.
 */
export function leadsToInstallation(event: GuestEvent, retry: boolean): boolean {
  if (event.type === 'reported') return event.report === 'failed' && retry
  return event.type === 'install-once'
}

/**
 * Why a guest boots its own disk now, in one line for its screen; undefined when it is to be installed. A
 * machine that asks again during an installation gets its disk, too: usually it is installed, by a template
 * that does not report. If it is not, the firmware says below this line that nothing can be booted.
 */
export function whyLocalDisk(guest: Guest, guestState: GuestState): string | undefined {
  const { name } = guest
  const { state, sinceMs, failure } = guestState
  if (bootsInstaller(state, mayRetry(guest, guestState))) return undefined
  const howToRepeat = `again: treeboot install ${name}`
  switch (state) {
    case 'installed':
      return `${name} is installed since ${minute(sinceMs)}; ${howToRepeat}`
    case 'local':
      return `${name} is kept on its own disk; to install: treeboot install ${name}`
    case 'failed':
      return `${name} failed to install ${minute(sinceMs)}: ${failure ?? 'it gave no reason'}; ${howToRepeat}`
    case 'held':
      return `${name} is held: ${whyHeld(guestState)}; to install: treeboot install ${name}`
    default:
      return `${name} began to install ${minute(sinceMs)} and has not reported its end; ${howToRepeat}`
  }
}

/** Why a held guest is held, for people. */
export function whyHeld({ hold }: Pick<GuestState, 'hold'>): string {
  switch (hold) {
    case 'new store':
      return 'this server has no record of what was installed before'
    case 'old store':
      return "this server's record of what was installed may be old"
    case 'renamed':
      return 'its machine was recorded under the name of another guest'
    default:
      return hold ?? 'this server has not recorded it yet'
  }
}

/** `2026-11-23 03:12 UTC` */
function minute(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
