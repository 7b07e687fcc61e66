import type { Release } from '../tree/tree.ts'
import type { Guest } from './guest.ts'

/**
 * What a guest's machine gets when it asks for boot: `install`, the installer of its tree; `installing`, an
 * installation that began and has not ended; `installed` and `local`, its own disk, because it was installed or
 * because the operator said so. A guest that we know nothing of is `install`: its first boot installs it.
 */
export type InstallState = 'install' | 'installing' | 'installed' | 'local'

/** An installation that one address was offered, and the tree that this machine sees until the end. */
export interface Offer {
  /** Id of the tree. */
  readonly tree: string
  /** The version that was offered, of a tree that treeboot published. */
  readonly release?: ReleaseId
  /** What the configuration asked for at that time; another wish ends an offer that led to nothing. */
  readonly wanted: string
  /** The address that was given the offer. */
  readonly client: string
  /** Path of the kernel in the namespace. Absent in offers of 0.1. */
  readonly kernel?: string
  readonly firstMs: number
  /** When that address last loaded the kernel. */
  readonly kernelMs?: number
}

export type ReleaseId = Pick<Release, 'id' | 'version'>

/** What we remember of a guest. Times are milliseconds since 1970. */
export interface GuestState {
  readonly state: InstallState
  readonly sinceMs: number
  /** Counts this guest's installations, so that a late report of an earlier one is recognised. */
  readonly install: number
  /** One for each address that was given one, the newest last. An offer to one address never replaces that of another. */
  readonly offers?: readonly Offer[]
  /** The address from which the installer fetched its answer file. */
  readonly installer?: string
  /** What a running installation last said went wrong. */
  readonly failure?: string
  /** The newest line of the history, so that a loader that asks five times is noted once. */
  readonly last?: Omit<HistoryEntry, 'install'>
}

/** What can happen to a guest. */
export type GuestEvent =
  | OfferedEvent
  /** It was told to boot its own disk. */
  | { readonly type: 'sent-to-disk'; readonly client: string }
  /** An address that was offered the installer has loaded its kernel. */
  | { readonly type: 'kernel'; readonly client: string }
  | AnswerFileEvent
  | ReportedEvent
  /** The operator wants one installation. */
  | { readonly type: 'install-once' }
  /** The operator wants it to boot its own disk. */
  | { readonly type: 'local' }

/** It was told to boot the installer. Only an offer: loaders ask by several names, try the next card, fail. */
export type OfferedEvent = { readonly type: 'offered' } & Pick<
  Offer,
  'tree' | 'release' | 'wanted' | 'client' | 'kernel'
>

/** Its answer file is about to be sent. `own`: to the address that the configuration gives the guest. */
export interface AnswerFileEvent {
  readonly type: 'answer-file'
  readonly client: string
  readonly own: boolean
}

/** An installer said something of itself. */
export interface ReportedEvent {
  readonly type: 'reported'
  readonly report: Report
  readonly client: string
  readonly detail?: string
}

/** What an installer says of itself. */
export type Report = 'installing' | 'progress' | 'installed' | 'failed'
export const reports: readonly Report[] = ['installing', 'progress', 'installed', 'failed']

/** Kinds of lines in a guest's history, as the store spells them. */
export type HistoryKind =
  | 'armed'
  | 'offered'
  | 'kernel'
  | 'answers'
  | 'installing'
  | 'progress'
  | 'installed'
  | 'failed'
  | 'disk'
  | 'local'

/** One line of a guest's history. */
export interface HistoryEntry {
  readonly atMs: number
  /** The installation that it belongs to; see `GuestState`. */
  readonly install: number
  readonly kind: HistoryKind
  /** The tree of an offer, the words of a report; '' when there is nothing to add. */
  readonly detail: string
  /** The address, '' for the operator. */
  readonly client: string
}

/** What an event changes. */
export interface Change {
  readonly state: GuestState
  readonly entry: HistoryEntry
}

/** From its offer on an address sees one and the same tree until the installation ends, or this long. */
export const pinnedMs = 24 * 3_600_000

export const newState: GuestState = { state: 'install', sinceMs: 0, install: 0 }

/** A state as it counts at a moment: offers older than 24 hours, or dated in the future by a wrong clock, are dropped. */
export function stateAt(state: GuestState, nowMs: number): GuestState {
  const offers = state.offers?.filter(({ firstMs }) => Math.abs(nowMs - firstMs) < pinnedMs)
  return offers?.length === state.offers?.length ? state : withOffers(state, offers ?? [])
}

export function withOffers({ offers: _, ...rest }: GuestState, offers: readonly Offer[]): GuestState {
  return offers.length === 0 ? rest : { ...rest, offers }
}

/** The wish for a tree, to be compared with that of an offer. */
export function treeSettingText(guest: Guest): string {
  return JSON.stringify(guest.settings.tree?.value ?? null)
}

/**
 * The offer that a machine of this guest is bound to: its tree, in the version that was offered. While nothing began, an
 * edit of the configuration frees it; then it is bound until the installation ends.
 *
 * @param client The address that asks. Its own offer comes first; else the offer whose kernel was loaded last, else the
 *   newest: an installer may have another address than the firmware had.
 */
export function pinnedOffer(guest: Guest, guestState: GuestState, client?: string): Offer | undefined {
  const { state, offers = [] } = guestState
  if (!isUnfinished(state)) return undefined
  const wanted = treeSettingText(guest)
  const binding = offers.filter((offer) => state === 'installing' || offer.wanted === wanted)
  return binding.find((offer) => offer.client === client) ?? likeliestOffer(binding)
}

/** The offer of the machine that most probably is being installed: the last to load its kernel, else the newest. */
export function likeliestOffer(offers: readonly Offer[]): Offer | undefined {
  const started = offers.filter(({ kernelMs }) => kernelMs !== undefined)
  return started.toSorted((a, b) => (a.kernelMs ?? 0) - (b.kernelMs ?? 0)).at(-1) ?? offers.at(-1)
}

/** Whether an installation may be under way, so that offers still bind. */
export function isUnfinished(state: InstallState): boolean {
  return state === 'install' || state === 'installing'
}

/**
 * Why a guest boots its own disk now, in one line for its screen; undefined when it is to be installed. A machine that
 * comes back in the middle of an installation goes to its disk as well: mostly it was installed by a template that does
 * not report, and boots; if not, the firmware says that there is nothing to boot, below this line.
 */
export function whyLocalDisk(guest: Guest, guestState: GuestState): string | undefined {
  const { name } = guest
  const again = `again: treeboot install ${name}`
  switch (guestState.state) {
    case 'install':
      return undefined
    case 'installed':
      return `${name} is installed since ${minute(guestState.sinceMs)}; ${again}`
    case 'local':
      return `${name} is kept on its own disk; to install: treeboot install ${name}`
    case 'installing': {
      if (guest.settings.retry.value) return undefined
      const failed =
        guestState.failure === undefined ? 'has not reported its end' : `failed: ${guestState.failure}`
      return `${name} began to install ${minute(guestState.sinceMs)} and ${failed}; ${again}`
    }
  }
}

/** `2026-11-23 03:12 UTC` */
function minute(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
