import type { Release } from '../tree/tree.ts'
import type { Guest } from './guest.ts'

/**
 * What a guest's machine gets when it asks for boot: `install`, the installer of its tree; `installing`, an
 * installation that began and has not ended; `installed` and `local`, its own disk, because it was installed or
 * because the operator said so. A guest that we know nothing of is `install`: its first boot installs it.
 */
export type InstallState = 'install' | 'installing' | 'installed' | 'local'

/** An installation that a machine was offered, and the tree that it sees until the end. */
export interface Offer {
  /** Id of the tree. */
  readonly tree: string
  /** The version that was offered, of a tree that treeboot published. */
  readonly release?: OfferedRelease
  /** What the configuration asked for at that time; another wish ends an offer that led to nothing. */
  readonly wanted: string
  /** The address that was given the offer. */
  readonly client: string
  readonly firstMs: number
  /** When the kernel of the tree was last loaded by that address. */
  readonly kernelMs?: number
}

export type OfferedRelease = Pick<Release, 'id' | 'version'>

/** What we remember of a guest. Times are milliseconds since 1970. */
export interface GuestState {
  readonly state: InstallState
  readonly sinceMs: number
  /** Counts this guest's installations, so that a late word of an earlier one is known for what it is. */
  readonly install: number
  readonly offer?: Offer
  /** The address from which the installer fetched its answers. */
  readonly installer?: string
  /** What a running installation last said went wrong. */
  readonly failure?: string
  /** The newest step of the story, so that a loader that asks five times is told of once. */
  readonly last?: Omit<Step, 'install'>
}

/** What can happen to a guest. */
export type GuestEvent =
  /** It asked what to boot and was told the installer. Only an offer: loaders ask by several names, try the next card, fail. */
  | {
      readonly type: 'offered'
      readonly tree: string
      readonly release?: OfferedRelease
      readonly wanted: string
      readonly client: string
    }
  /** It asked and was told its own disk. */
  | { readonly type: 'sent-to-disk'; readonly client: string }
  | { readonly type: 'kernel'; readonly client: string }
  /** Its answer file was fetched. `own`: from the address that the configuration gives the guest. */
  | { readonly type: 'answers'; readonly client: string; readonly own: boolean }
  | { readonly type: 'reported'; readonly report: Report; readonly client: string; readonly detail?: string }
  /** The operator wants one installation. */
  | { readonly type: 'armed' }
  /** The operator wants it to boot its own disk. */
  | { readonly type: 'kept-local' }

/** What an installer says of itself. */
export type Report = 'installing' | 'progress' | 'installed' | 'failed'
export const reports: readonly Report[] = ['installing', 'progress', 'installed', 'failed']

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

/** One line of a guest's story. */
export interface Step {
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
  readonly life: GuestState
  readonly step: Step
}

/** From the first boot answer a guest sees one and the same tree until its installation ends, or this long. */
export const pinnedMs = 24 * 3_600_000

/** The same step again within this time is no news. */
const repeatMs = 10 * 60_000

export const newState: GuestState = { state: 'install', sinceMs: 0, install: 0 }

/** A life as it counts at a moment: an offer of yesterday binds nobody, nor one that a wrong clock dates into the future. */
export function stateAt(life: GuestState, nowMs: number): GuestState {
  if (!life.offer || Math.abs(nowMs - life.offer.firstMs) < pinnedMs) return life
  const { offer: _, ...rest } = life
  return rest
}

/**
 * What an event makes of a life; undefined when it changes nothing worth writing down.
 *
 *     event \ state      install      installing        installed   local
 *     offered            (pins)       (pins: retry)     -           -
 *     answers            installing   -                 -           -      when they count, see `countsAsBegun`
 *     says installing    installing   -                 -           -
 *     says failed        installing   (keeps why)       -           -
 *     says installed     installed    installed         -           -
 *     armed              install      install           install     install
 *     kept local         local        local             local       local
 *
 * A failed installation stays `installing`: nothing but the operator, or `retry: true`, starts it again.
 */
export function nextState(
  before: GuestState | undefined,
  event: GuestEvent,
  atMs: number,
): Change | undefined {
  const life = stateAt(before ?? newState, atMs)
  switch (event.type) {
    case 'offered':
      return offered(life, event, atMs)
    case 'sent-to-disk':
      return step(life, atMs, 'disk', '', event.client)
    case 'kernel': {
      const { offer } = life
      if (offer?.client !== event.client || !isOpen(life.state)) return undefined
      return step({ ...life, offer: { ...offer, kernelMs: atMs } }, atMs, 'kernel', offer.tree, event.client)
    }
    case 'answers': {
      if (life.state === 'installing')
        return step({ ...life, installer: event.client }, atMs, 'answers', '', event.client)
      if (life.state !== 'install' || !countsAsBegun(life, event)) return undefined
      return step({ ...begun(life, atMs), installer: event.client }, atMs, 'answers', '', event.client)
    }
    case 'reported':
      return reported(life, event, atMs)
    case 'armed': {
      const fresh: GuestState = { state: 'install', sinceMs: atMs, install: life.install + 1 }
      return step(fresh, atMs, 'armed', '', '')
    }
    case 'kept-local':
      return step({ state: 'local', sinceMs: atMs, install: life.install }, atMs, 'local', '', '')
  }
}

/**
 * An installation began when its answer file was fetched by its installer: from then on disks may be wiped. A boot
 * configuration is only an offer. But anyone can look at an answer file, by name or by MAC, and an operator who does so at
 * night must not disarm a machine that never came as far. So the fetch counts after an offer only, when it comes from
 * the address of the offer or of the guest; from any other address (Ubuntu's and SUSE's installers may get one of their
 * own, not the firmware's) once the kernel was loaded since. A machine that somebody starts from our kernel by hand
 * (virt-install) is offered nothing; its report ends its installation all the same.
 */
function countsAsBegun({ offer }: GuestState, event: Extract<GuestEvent, { type: 'answers' }>): boolean {
  return offer !== undefined && (event.own || offer.client === event.client || offer.kernelMs !== undefined)
}

function offered(
  life: GuestState,
  event: Extract<GuestEvent, { type: 'offered' }>,
  atMs: number,
): Change | undefined {
  if (!isOpen(life.state)) return undefined
  const { tree, release, wanted, client } = event
  const { offer: old } = life
  const same = old?.tree === tree && isSameRelease(old.release, release) && old.wanted === wanted
  // Another attempt: whether its kernel gets through is to be seen.
  const offer: Offer = {
    tree,
    ...(release && { release: { id: release.id, version: release.version } }),
    wanted,
    client,
    firstMs: same ? old.firstMs : atMs,
  }
  if (same && old.client === client && old.kernelMs === undefined && life.last?.kind === 'offered')
    return undefined
  const made = makeStep(life, atMs, 'offered', tree, client)
  return { life: { ...life, offer, last: newestOf(made) }, step: made }
}

function isSameRelease(a: OfferedRelease | undefined, b: OfferedRelease | undefined): boolean {
  return a?.id === b?.id && a?.version === b?.version
}

function reported(
  life: GuestState,
  event: Extract<GuestEvent, { type: 'reported' }>,
  atMs: number,
): Change | undefined {
  const { report, client, detail = '' } = event
  const open = isOpen(life.state)
  switch (report) {
    case 'progress':
      return step(life, atMs, 'progress', detail, client)
    case 'installing':
      return step(life.state === 'install' ? begun(life, atMs) : life, atMs, 'installing', detail, client)
    case 'failed': {
      const failure = detail || 'it said no more'
      const failed = life.state === 'install' ? begun(life, atMs) : life
      return step(open ? { ...failed, failure } : life, atMs, 'failed', detail, client)
    }
    case 'installed': {
      const installer = life.installer ?? client
      const ended: GuestState = { state: 'installed', sinceMs: atMs, install: life.install, installer }
      return step(
        open ? { ...ended, ...(life.last && { last: life.last }) } : life,
        atMs,
        'installed',
        detail,
        client,
      )
    }
  }
}

function begun(life: GuestState, atMs: number): GuestState {
  return { ...life, state: 'installing', sinceMs: atMs }
}

/** The change with its line for the story; undefined when that line stands there already and the state is the same. */
function step(
  life: GuestState,
  atMs: number,
  kind: HistoryKind,
  detail: string,
  client: string,
): Change | undefined {
  const { last } = life
  const repeated =
    last?.kind === kind &&
    last.detail === detail &&
    last.client === client &&
    Math.abs(atMs - last.atMs) < repeatMs &&
    life.sinceMs !== atMs
  if (repeated) return undefined
  const made = makeStep(life, atMs, kind, detail, client)
  return { life: { ...life, last: newestOf(made) }, step: made }
}

function newestOf({ install: _, ...rest }: Step): Omit<Step, 'install'> {
  return rest
}

function makeStep(life: GuestState, atMs: number, kind: HistoryKind, detail: string, client: string): Step {
  return { atMs, install: life.install, kind, detail, client }
}

/** The wish for a tree, to be compared with that of an offer. */
export function treeWish(guest: Guest): string {
  return JSON.stringify(guest.settings.tree?.value ?? null)
}

/**
 * The offer that a guest is bound to: its tree, in the version that it was offered. While nothing began, an edit of the
 * configuration frees it; then it is bound until the installation ends.
 */
export function pinnedOffer(guest: Guest, life: GuestState): Offer | undefined {
  const { offer, state } = life
  if (!offer || !isOpen(state)) return undefined
  return state === 'installing' || offer.wanted === treeWish(guest) ? offer : undefined
}

/** Whether an installation may be under way, and an offer still means something. */
export function isOpen(state: InstallState): boolean {
  return state === 'install' || state === 'installing'
}

/**
 * Why a guest boots its own disk now, in one line for its screen; undefined when it is to be installed. A machine that
 * comes back in the middle of an installation goes to its disk as well: mostly it was installed by a template that does
 * not report, and boots; if not, the firmware says that there is nothing to boot, below this line.
 */
export function whyLocalDisk(guest: Guest, life: GuestState): string | undefined {
  const { name } = guest
  const again = `again: treeboot install ${name}`
  switch (life.state) {
    case 'install':
      return undefined
    case 'installed':
      return `${name} is installed since ${minute(life.sinceMs)}; ${again}`
    case 'local':
      return `${name} is kept on its own disk; to install: treeboot install ${name}`
    case 'installing': {
      if (guest.settings.retry.value) return undefined
      const failed = life.failure === undefined ? 'has not reported its end' : `failed: ${life.failure}`
      return `${name} began to install ${minute(life.sinceMs)} and ${failed}; ${again}`
    }
  }
}

/** `2026-11-23 03:12 UTC` */
function minute(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
