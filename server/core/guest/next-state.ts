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
  type ReportedEvent,
  stateAt,
  withOffers,
} from './state.ts'

/** Offers kept of one guest. A machine has a handful of addresses; whoever asks from more pushes out only who loaded nothing. */
const mostOffers = 16

/** The same line again within this time is not noted again. */
const repeatMs = 10 * 60_000

/**
 * What an event makes of a state; undefined when it changes nothing worth writing down.
 *
 *     event \ state      install      installing        installed   local
 *     offered            (pins)       (pins: retry)     -           -
 *     answer-file        installing   -                 -           -      when it counts, see `countsAsBegun`
 *     says installing    installing   -                 -           -
 *     says failed        installing   (keeps why)       -           -
 *     says installed     installed    installed         -           -
 *     install-once       install      install           install     install
 *     local              local        local             local       local
 *
 * A failed installation stays `installing`: nothing but the operator, or `retry: true`, starts it again.
 */
export function nextState(
  before: GuestState | undefined,
  event: GuestEvent,
  atMs: number,
): Change | undefined {
  const state = stateAt(before ?? newState, atMs)
  switch (event.type) {
    case 'offered':
      return offered(state, event, atMs)
    case 'sent-to-disk':
      return changed(state, { atMs, kind: 'disk', detail: '', client: event.client })
    case 'kernel':
      return kernelLoaded(state, event.client, atMs)
    case 'answer-file':
      return answerFileSent(state, event, atMs)
    case 'reported':
      return reported(state, event, atMs)
    case 'install-once': {
      const fresh: GuestState = { state: 'install', sinceMs: atMs, install: state.install + 1 }
      return changed(fresh, { atMs, kind: 'armed', detail: '', client: '' })
    }
    case 'local': {
      const kept: GuestState = { state: 'local', sinceMs: atMs, install: state.install }
      return changed(kept, { atMs, kind: 'local', detail: '', client: '' })
    }
  }
}

function kernelLoaded(state: GuestState, client: string, atMs: number): Change | undefined {
  const offer = offerTo(state, client)
  if (!offer || !isUnfinished(state.state)) return undefined
  const loaded = replaceOffer(state, { ...offer, kernelMs: atMs })
  return changed(loaded, { atMs, kind: 'kernel', detail: offer.tree, client })
}

function answerFileSent(state: GuestState, event: AnswerFileEvent, atMs: number): Change | undefined {
  const { client } = event
  const line = { atMs, kind: 'answers', detail: '', client } as const
  if (state.state === 'installing') return changed({ ...state, installer: client }, line)
  if (state.state !== 'install' || !countsAsBegun(state, event)) return undefined
  const { offers = [] } = state
  const offer = offerTo(state, client) ?? likeliestOffer(offers)
  // From now on one offer binds all: that of the machine that is being installed.
  const bound = withOffers(begun(state, atMs), offer ? [offer] : [])
  return changed({ ...bound, installer: client }, line)
}

/**
 * An installation begins when its answer file goes to its installer: from then on disks may be wiped. A boot
 * configuration is only an offer. But anyone can look at an answer file, by name or by MAC, and an operator who does so at
 * night must not disarm a machine that never came as far. So the fetch counts only after an offer, when it comes from
 * an address that has an offer or from the guest's own. From any other address (Ubuntu's and SUSE's installers may get
 * one of their own, not the firmware's) it counts once the kernel was loaded. A machine that somebody starts from our
 * kernel by hand (virt-install) is offered nothing; its report ends its installation all the same.
 */
function countsAsBegun({ offers = [] }: GuestState, { own, client }: AnswerFileEvent): boolean {
  return offers.some((offer) => own || offer.client === client || offer.kernelMs !== undefined)
}

function offered(state: GuestState, event: OfferedEvent, atMs: number): Change | undefined {
  if (!isUnfinished(state.state)) return undefined
  const { tree, release, wanted, client, kernel } = event
  const old = offerTo(state, client)
  const same = old?.tree === tree && isSameRelease(old.release, release) && old.wanted === wanted
  // Another attempt: whether its kernel gets through is to be seen.
  const offer: Offer = {
    ...defined({ tree, kernel, wanted, client }),
    ...(release && { release: { id: release.id, version: release.version } }),
    firstMs: same ? old.firstMs : atMs,
  }
  if (same && old.kernelMs === undefined && state.last?.kind === 'offered') return undefined
  const entry = entryOf(state, { atMs, kind: 'offered', detail: tree, client })
  return { state: { ...replaceOffer(state, offer), last: lastOf(entry) }, entry }
}

function offerTo({ offers = [] }: GuestState, client: string): Offer | undefined {
  return offers.find((offer) => offer.client === client)
}

/** The offer takes its place as the newest. Too many: the oldest goes that led to no kernel, or else the oldest. */
function replaceOffer(state: GuestState, offer: Offer): GuestState {
  const others = (state.offers ?? []).filter(({ client }) => client !== offer.client)
  if (others.length >= mostOffers) {
    const idle = others.findIndex(({ kernelMs }) => kernelMs === undefined)
    others.splice(Math.max(idle, 0), 1)
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
      return changed(state, line)
    case 'installing':
      return changed(state.state === 'install' ? begun(state, atMs) : state, line)
    case 'failed': {
      if (!isUnfinished(state.state)) return changed(state, line)
      const failed = state.state === 'install' ? begun(state, atMs) : state
      return changed({ ...failed, failure: detail || 'it said no more' }, line)
    }
    case 'installed': {
      if (!isUnfinished(state.state)) return changed(state, line)
      const installer = state.installer ?? client
      const { install, last } = state
      return changed({ state: 'installed', sinceMs: atMs, ...defined({ install, installer, last }) }, line)
    }
  }
}

function begun(state: GuestState, atMs: number): GuestState {
  return { ...state, state: 'installing', sinceMs: atMs }
}

type Line = Omit<HistoryEntry, 'install'>

/** The change with its line for the history; undefined when that line was just noted and the state is the same. */
function changed(state: GuestState, line: Line): Change | undefined {
  const { last } = state
  const repeated =
    last?.kind === line.kind &&
    last.detail === line.detail &&
    last.client === line.client &&
    Math.abs(line.atMs - last.atMs) < repeatMs &&
    state.sinceMs !== line.atMs
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
