import { LRUCache } from 'lru-cache'
import type { BootDecision } from '../core/boot/decision.ts'
import { defined } from '../core/defined.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { GuestIndex } from '../core/guest/match.ts'
import { nextState } from '../core/guest/next-state.ts'
import {
  type GuestEvent,
  type GuestState,
  type HistoryEntry,
  newState,
  type OfferedEvent,
  pinnedOffer,
  type ReleaseId,
  type Report,
  stateAt,
  treeSettingText,
} from '../core/guest/state.ts'
import { canonicalIp, isLoopback } from '../core/net/address.ts'
import type { Requester } from '../core/net/requester.ts'
import type { EventSink } from '../events/bus.ts'
import type { Store } from '../store/store.ts'
import { reportToken, sameToken } from './token.ts'

export interface GuestHistoryOptions {
  readonly guests: () => GuestIndex
  readonly events: EventSink
  /** Milliseconds since 1970. */
  readonly clock: () => number
}

/** What a guest, or somebody on its behalf, reports. */
export interface ReportOf {
  readonly report: Report
  readonly token?: string
  readonly client: string
  /** Whether it came from this very machine. */
  readonly local: boolean
  readonly detail?: string
}

/** Addresses remembered; a boot is over long before as many others have begun. */
const mostAddresses = 10_000

/** The installer that an address was offered last, and for which guest. */
interface OfferAt {
  readonly guest: string
  readonly event: OfferedEvent
}

/**
 * The state and history of every guest: what it was offered, fetched and reported. It writes to the store, and holds in
 * memory what the store holds, so that a decision waits for no disk. Another process may write to the store as well;
 * `fresh` takes over what it wrote.
 */
export class GuestHistory {
  readonly #options: GuestHistoryOptions
  #store: Store | undefined
  #states = new Map<string, GuestState>()
  #secret: Uint8Array | undefined
  #writes = 0
  /** How many changes of a guest are on their way to the store. */
  readonly #pending = new Map<string, number>()
  /** Guests of which a change could not be written. */
  readonly #unwritten = new Set<string>()
  readonly #offers = new LRUCache<string, OfferAt>({ max: mostAddresses })
  /** By address: the guest that was last offered an installation there, or whose installer fetched its answer file there. */
  readonly #guestAt = new LRUCache<string, string>({ max: mostAddresses })

  constructor(options: GuestHistoryOptions) {
    this.#options = options
  }

  async open(store: Store): Promise<void> {
    this.#store = store
    this.#secret = await store.secret()
    this.#states = new Map(await store.states())
    for (const [guest, state] of this.#states) this.#place(guest, state)
  }

  close(): void {
    this.#store = undefined
  }

  /** Takes over what other processes wrote. Never rejects: without it, what we knew until now goes on to hold. */
  async fresh(): Promise<void> {
    const store = this.#store
    if (!store) return
    try {
      if (store.changedElsewhere()) await this.#readAgain(store)
    } catch (error) {
      this.#trouble('what other processes wrote cannot be read', error)
    }
  }

  async #readAgain(store: Store): Promise<void> {
    // Read again when one of our own changes came through meanwhile: it may be newer than what was read.
    for (let seen = -1; seen !== this.#writes; ) {
      seen = this.#writes
      const read = new Map(await store.states())
      // A guest whose change is on its way to the disk, or never got there: what is in memory is newer.
      for (const guest of [...this.#pending.keys(), ...this.#unwritten]) copyEntry(this.#states, read, guest)
      this.#states = read
    }
  }

  /** As it counts now; undefined for a guest to which nothing ever happened. */
  stateOf(guest: string): GuestState | undefined {
    const state = this.#states.get(guest)
    return state && stateAt(state, this.#options.clock())
  }

  /** What the machine at an address is bound to while it is being installed. */
  boundAt(address: string): ReleaseId | undefined {
    const name = this.#guestAt.peek(address)
    const guest = name === undefined ? undefined : this.#options.guests().byName(name)
    const state = guest && this.stateOf(guest.name)
    if (!guest || !state) return undefined
    if (state.installer !== address && !hasOffer(state, address)) return undefined
    return pinnedOffer(guest, state, address)?.release
  }

  /** Proves that a report comes from a machine that has read the answer file of this installation. */
  reportToken(guest: string): string | undefined {
    return this.#secret && reportToken(this.#secret, guest, (this.stateOf(guest) ?? newState).install)
  }

  /** The history of a guest's present installation, oldest line first. */
  async history(guest: string): Promise<readonly HistoryEntry[]> {
    return (await this.#store?.history(guest, (this.stateOf(guest) ?? newState).install)) ?? []
  }

  /** A guest's boot configuration was sent: what it said is what the machine goes on with. */
  async booted({ guest: name, localDisk, offer }: BootDecision, client: string): Promise<void> {
    const guest = name === undefined ? undefined : this.#options.guests().byName(name)
    if (!guest) return
    if (localDisk) return this.#apply(guest.name, { type: 'sent-to-disk', client })
    if (!offer) return
    const event: OfferedEvent = { type: 'offered', ...offer, wanted: treeSettingText(guest), client }
    this.#offers.set(client, { guest: guest.name, event })
    await this.#apply(guest.name, event)
  }

  /** A file was sent: perhaps the kernel of an installer that this address was offered. */
  fetched(client: string, path: string): void {
    const offered = this.#offers.peek(client)
    if (offered?.event.kernel === path) void this.#kernelLoaded(offered, client)
    else if (!offered) this.#fetchedAfterRestart(client, path)
  }

  async #kernelLoaded({ guest, event }: OfferAt, client: string): Promise<void> {
    // Many other addresses may have asked for this guest meanwhile, and pushed the offer out.
    const state = this.stateOf(guest)
    if (!state || !hasOffer(state, client)) await this.#apply(guest, event)
    await this.#apply(guest, { type: 'kernel', client })
  }

  #fetchedAfterRestart(client: string, path: string): void {
    const guest = this.#guestAt.peek(client)
    const offers = (guest === undefined ? undefined : this.stateOf(guest)?.offers) ?? []
    if (guest !== undefined && offers.some((offer) => offer.client === client && offer.kernel === path))
      void this.#apply(guest, { type: 'kernel', client })
  }

  /**
   * An answer file is about to be sent, and with it an installation may begin: from then on the machine's disk may be
   * wiped. Resolves when that is in the store. Whether the fetch counts, `nextState` decides.
   */
  async claimAnswerFile(guest: Guest, { protocol, address, localAddress }: Requester): Promise<void> {
    if (protocol === 'internal') return
    const { name } = guest
    const own = guest.ip !== undefined && guest.ip === canonicalIp(address)
    const self = address === localAddress
    const state = this.stateOf(name)
    // No machine boots from itself: this is the operator, who looks at what the guest gets. In a laboratory where the
    // two share an address, the guest's `ip:` says so.
    if (!own && (self || (isLoopback(address) && !(state && hasOffer(state, address))))) return
    const offered = this.#offers.peek(address)
    if (offered?.guest === name && state && !hasOffer(state, address)) await this.#apply(name, offered.event)
    await this.#apply(name, { type: 'answer-file', client: address, own })
  }

  /**
   * Takes the report of a guest. It counts with the token of the running installation, which stands in the answer file's
   * `report_url`; without one, from the guest's own address, or from this machine.
   *
   * @throws Failure `forbidden` for anybody else.
   */
  async report(guest: Guest, said: ReportOf): Promise<void> {
    await this.fresh()
    const { report, client, detail } = said
    const why = this.#disbelief(guest, said)
    if (why !== undefined) {
      this.#trouble(`report of guest ${guest.name}`, `${client} said ${report}, and was not believed: ${why}`)
      throw new Failure('forbidden', why)
    }
    await this.#apply(guest.name, { type: 'reported', report, client, ...defined({ detail }) })
    this.#options.events({ type: 'report', guest: guest.name, client, state: report, ...defined({ detail }) })
  }

  /** What the operator decides: one installation, or its own disk from now on. */
  async order(guest: string, type: 'install-once' | 'local'): Promise<GuestState> {
    await this.fresh()
    await this.#apply(guest, { type })
    return this.stateOf(guest) ?? newState
  }

  #disbelief(guest: Guest, { token, client, local }: ReportOf): string | undefined {
    const state = this.stateOf(guest.name) ?? newState
    if (token !== undefined) {
      const expected = this.reportToken(guest.name)
      if (expected !== undefined && sameToken(expected, token)) return undefined
      return `the token is not that of the present installation of ${guest.name}; its answer file has it in report_url`
    }
    if (local || hasOffer(state, client) || client === guest.ip || client === state.installer)
      return undefined
    return `${client} is not the address of ${guest.name}; use report_url of the answer file, which holds a token`
  }

  async #apply(guest: string, event: GuestEvent): Promise<void> {
    const atMs = this.#options.clock()
    const change = nextState(this.#states.get(guest), event, atMs)
    if (!change || !this.#store) return
    // Known at once: the next request, which may come before the disk is done, is decided on it.
    this.#states.set(guest, change.state)
    this.#place(guest, change.state)
    this.#pending.set(guest, (this.#pending.get(guest) ?? 0) + 1)
    let stored: GuestState | undefined
    try {
      stored = await this.#store.change(guest, (before) => nextState(before, event, atMs))
      this.#writes++
      this.#unwritten.delete(guest)
    } catch (error) {
      // A full disk must not stop a boot. What could not be written holds until we end.
      this.#trouble(`what happens to guest ${guest} is not kept`, error)
      this.#unwritten.add(guest)
    }
    const left = (this.#pending.get(guest) ?? 1) - 1
    if (left > 0) return void this.#pending.set(guest, left)
    this.#pending.delete(guest)
    if (stored) this.#states.set(guest, stored)
  }

  #place(guest: string, { offers = [], installer }: GuestState): void {
    for (const { client } of offers) this.#guestAt.set(client, guest)
    if (installer !== undefined) this.#guestAt.set(installer, guest)
  }

  #trouble(where: string, error: unknown): void {
    this.#options.events({ type: 'trouble', where, message: failureMessage(error) })
  }
}

/** Every tree in a version that some guest is bound to, whichever of its addresses was offered it. */
export function boundTrees(
  guests: GuestIndex,
  stateOf: (guest: string) => GuestState | undefined,
): { readonly tree: string; readonly release: ReleaseId }[] {
  const found = new Map<string, { tree: string; release: ReleaseId }>()
  for (const guest of guests.all) {
    const state = stateOf(guest.name)
    for (const { client } of state?.offers ?? []) {
      const { tree, release } = (state && pinnedOffer(guest, state, client)) ?? {}
      if (tree !== undefined && release)
        found.set(`${tree} ${release.id} ${release.version}`, { tree, release })
    }
  }
  return [...found.values()]
}

function hasOffer({ offers = [] }: GuestState, client: string): boolean {
  return offers.some((offer) => offer.client === client)
}

function copyEntry<T>(from: ReadonlyMap<string, T>, to: Map<string, T>, key: string): void {
  const value = from.get(key)
  if (value !== undefined) to.set(key, value)
}
