import { defined } from '../defined.ts'
import {
  type AnswerFileEvent,
  type Change,
  type GuestEvent,
  type GuestState,
  type HistoryEntry,
  isUnfinished,
  likeliestOffer,
  newState,
  type Offer,
  type OfferedEvent,
  type ReleaseId,
  type ReplacedState,
  type ReportedEvent,
  withOffers,
  withoutOldOffers,
} from './state.ts'

/**
 * Offers kept for one guest. A machine has a handful of addresses; when more ask, offers without a loaded
 * kernel are dropped first.
 */
const maxOffers = 16

/** A history line that equals the last one is not written within this time. */
const repeatMs = 10 * 60_000

/**
 * The state of a guest after an event, with a line for its history. Undefined when nothing changes that must
 * be stored.
 *
 *     event \ state      install      installing      failed          installed   local     held
 *     offered            (pins)       (pins: retry)   (pins: retry)   -           -         -
 *     answer-file        installing   -               installing      -           -         -
 *     says installing    installing   -               installing      -           -         -
 *     says failed        failed       failed          (keeps why)     -           -         -
 *     says installed     installed    installed       installed       -           -         installed
 *     install-once       install      install         install         install     install   install
 *     take-back          (as before)  -               -               -           -         -
 *     local              local        local           local           local       local     local
 *     hold               held         held            held            held        held      held
 *
 * `(pins)`: the state stays, and the offer binds the address to the tree. Only the operator, or `retry: true`,
 * starts a failed installation again; so only with `retry` are there offers then. `retry` must have been set when the
 * installation began, which is noted then. An answer file begins an
 * installation when its fetch counts, see `countsAsBegun`. A report never ends a hold `by` somebody.
 * `kernel`, `sent-to-disk` and `says progress` change no state: each writes a line, and `kernel` marks the
 * offer.
 */
export function nextState(
  before: GuestState | undefined,
  event: GuestEvent,
  atMs: number,
): Change | undefined {
  const state = withoutOldOffers(before ?? newState, atMs)
  switch (event.type) {
    case 'offered':
      return offered(state, event, atMs)
    case 'sent-to-disk':
      return withHistoryLine(state, { atMs, kind: 'disk', detail: '', client: event.client })
    case 'kernel':
      return kernelLoaded(state, event.client, atMs)
    case 'answer-file':
      return answerFileSent(state, event, atMs)
    case 'reported':
      return reported({ ...state, install: Math.max(state.install, event.install ?? 0) }, event, atMs)
    case 'install-once': {
      const fresh: GuestState = {
        ...{ state: 'install', sinceMs: atMs, install: state.install + 1 },
        ...defined({ before: replacedBy(state) }),
      }
      return withHistoryLine(fresh, { atMs, kind: 'armed', detail: '', client: '' })
    }
    case 'take-back': {
      const { before: replaced, install } = state
      if (state.state !== 'install' || !replaced) return undefined
      return withHistoryLine({ ...replaced, install }, { atMs, kind: 'taken-back', detail: '', client: '' })
    }
    case 'local': {
      const kept: GuestState = { state: 'local', sinceMs: atMs, install: state.install }
      return withHistoryLine(kept, { atMs, kind: 'local', detail: '', client: '' })
    }
    case 'hold': {
      const { reason: hold } = event
      const { install, last } = state
      const held: GuestState = { state: 'held', sinceMs: atMs, ...defined({ install, hold, last }) }
      return withHistoryLine(held, { atMs, kind: 'held', detail: hold, client: '' })
    }
  }
}

/** What an order of an installation replaces. A second order replaces what the first one did. */
function replacedBy({
  state,
  sinceMs,
  failure,
  hold,
  installer,
  retry,
  before,
}: GuestState): ReplacedState | undefined {
  return state === 'install' ? before : { state, sinceMs, ...defined({ failure, hold, installer, retry }) }
}

function kernelLoaded(state: GuestState, client: string, atMs: number): Change | undefined {
  const offer = offerTo(state, client)
  if (!offer || !isUnfinished(state.state)) return undefined
  const loaded = replaceOffer(state, { ...offer, kernelMs: atMs })
  return withHistoryLine(loaded, { atMs, kind: 'kernel', detail: offer.tree, client })
}

function answerFileSent(state: GuestState, event: AnswerFileEvent, atMs: number): Change | undefined {
  const { client } = event
  const line = { atMs, kind: 'answers', detail: '', client } as const
  if (state.state === 'installing') return withHistoryLine({ ...state, installer: client }, line)
  if (!isUnfinished(state.state) || !countsAsBegun(state, event)) return undefined
  const { offers = [] } = state
  const offer = offerTo(state, client) ?? likeliestOffer(offers)
  // From now on only one offer counts: that of the machine that is being installed.
  const bound = withOffers(asInstalling(state, atMs, event.retry), offer ? [offer] : [])
  return withHistoryLine({ ...bound, installer: client }, line)
}

/**
 * Whether the fetch of an answer file begins the installation. It does when the file goes to the guest's
 * installer: from then on disks may be wiped. But anyone can read an answer file, by name or by MAC, and an
 * operator who does so must not disarm a machine that has not come so far. So a fetch counts only after an
 * offer: at once from an address that has an offer, or from the guest's own; from any other address once a
 * kernel was loaded (Ubuntu's and SUSE's installers may have another address than the firmware). A machine
 * that somebody starts by hand with our kernel (virt-install) has no offer; only its report ends its
 * installation.
 */
function countsAsBegun({ offers = [] }: GuestState, { own, client }: AnswerFileEvent): boolean {
  return offers.some((offer) => own || offer.client === client || offer.kernelMs !== undefined)
}

function offered(state: GuestState, event: OfferedEvent, atMs: number): Change | undefined {
  if (!isUnfinished(state.state)) return undefined
  const { tree, release, treeSetting, client, kernel } = event
  const old = offerTo(state, client)
  const isSameOffer =
    old?.tree === tree && isSameRelease(old.release, release) && old.treeSetting === treeSetting
  // Without `kernelMs`: in this new attempt the machine has not loaded the kernel yet.
  const offer: Offer = {
    ...defined({ tree, kernel, treeSetting, client }),
    // `release` may be a whole `Release`, which has a folder.
    ...(release && { release: { id: release.id, version: release.version } }),
    firstMs: isSameOffer ? old.firstMs : atMs,
  }
  // A loader that repeats its request changes nothing, unless something else happened in between.
  if (isSameOffer && old.kernelMs === undefined && state.last?.kind === 'offered') return undefined
  // Not `withHistoryLine`: a changed offer counts even if its line equals the last one (another version).
  const entry = entryOf(state, { atMs, kind: 'offered', detail: tree, client })
  return { state: { ...replaceOffer(state, offer), last: lastOf(entry) }, entry }
}

function offerTo({ offers = [] }: GuestState, client: string): Offer | undefined {
  return offers.find((offer) => offer.client === client)
}

/**
 * Puts an offer last, as the newest. Of too many, the oldest one without a loaded kernel is dropped, or else
 * the oldest.
 */
function replaceOffer(state: GuestState, offer: Offer): GuestState {
  const others = (state.offers ?? []).filter(({ client }) => client !== offer.client)
  if (others.length >= maxOffers) {
    const withoutKernel = others.findIndex(({ kernelMs }) => kernelMs === undefined)
    others.splice(Math.max(withoutKernel, 0), 1)
  }
  return { ...state, offers: [...others, offer] }
}

function isSameRelease(a: ReleaseId | undefined, b: ReleaseId | undefined): boolean {
  return a?.id === b?.id && a?.version === b?.version
}

function reported(state: GuestState, event: ReportedEvent, atMs: number): Change | undefined {
  const { report, client, detail = '' } = event
  const line = { atMs, kind: report, detail, client } as const
  switch (report) {
    case 'progress':
      return withHistoryLine(state, line)
    case 'installing': {
      const begins = state.state === 'install' || state.state === 'failed'
      return withHistoryLine(begins ? asInstalling(state, atMs, event.retry) : state, line)
    }
    case 'failed': {
      if (!isUnfinished(state.state)) return withHistoryLine(state, line)
      const sinceMs = state.state === 'failed' ? state.sinceMs : atMs
      const failure = detail || 'it gave no reason'
      const { before: _, ...rest } = state
      // An installer may report nothing before it fails.
      const begun = state.state === 'install' ? asInstalling(rest, atMs, event.retry) : rest
      return withHistoryLine({ ...begun, state: 'failed', sinceMs, failure }, line)
    }
    case 'installed': {
      if (!mayBecomeInstalled(state)) return withHistoryLine(state, line)
      const installer = state.installer ?? client
      const { install, last } = state
      return withHistoryLine(
        { state: 'installed', sinceMs: atMs, ...defined({ install, installer, last }) },
        line,
      )
    }
  }
}

/** A report ends what a lost or an old store began, and never what a person ordered. */
function mayBecomeInstalled({ state, hold }: GuestState): boolean {
  return isUnfinished(state) || (state === 'held' && !hold?.startsWith('by '))
}

function asInstalling(
  { failure: _, before: __, retry: ___, ...state }: GuestState,
  atMs: number,
  retry = false,
): GuestState {
  return { ...state, state: 'installing', sinceMs: atMs, ...(retry && { retry }) }
}

type Line = Omit<HistoryEntry, 'install'>

/**
 * The state with a new line of history. Undefined when the last line is the same one, not long ago, and the
 * state did not change.
 */
function withHistoryLine(state: GuestState, line: Line): Change | undefined {
  const { last } = state
  const changedNow = state.sinceMs === line.atMs
  const repeated =
    last?.kind === line.kind &&
    last.detail === line.detail &&
    last.client === line.client &&
    // Absolute, because the clock may have been set back.
    Math.abs(line.atMs - last.atMs) < repeatMs &&
    !changedNow
  if (repeated) return undefined
  const entry = entryOf(state, line)
  return { state: { ...state, last: lastOf(entry) }, entry }
}

function lastOf({ install: _, ...rest }: HistoryEntry): Line {
  return rest
}

function entryOf({ install }: GuestState, line: Line): HistoryEntry {
  return { ...line, install }
}
