import type { BootPlan } from '../core/boot/plan.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import type { Guest, GuestFacts } from '../core/guest/guest.ts'
import type { GuestIndex } from '../core/guest/match.ts'
import type { Machine, SeenMachine } from '../core/guest/seen-machine.ts'
import {
  type GuestEvent,
  type GuestState,
  newState,
  nextState,
  type OfferedRelease,
  pinnedOffer,
  type Report,
  type Step,
  stateAt,
  treeWish,
} from '../core/guest/state.ts'
import { canonicalIp, isLoopback } from '../core/net/address.ts'
import type { Requester } from '../core/net/requester.ts'
import type { Event, EventSink } from '../events/bus.ts'
import type { Store } from '../store/store.ts'
import { reportToken, sameToken } from './token.ts'
import { Inbox } from './unknown.ts'

export interface GuestHistoryOptions {
  readonly guests: () => GuestIndex
  readonly events: EventSink
  /** Milliseconds since 1970. */
  readonly clock?: () => number
}

/** What a guest, or somebody in its name, reports. */
export interface ReportOf {
  readonly report: Report
  readonly token?: string
  readonly client: string
  /** Whether it came from this very machine. */
  readonly local: boolean
  readonly detail?: string
}

/** Addresses and answer files that we have an eye on; a boot is over long before as many others began. */
const watchedMost = 10_000

/**
 * Follows every guest through its life: hears what was decided and fetched, tells the store, and knows at any moment
 * what the store holds, so that a decision waits for no disk. Another process may write to the store as well: `fresh`
 * takes over what it wrote.
 */
export class GuestHistory {
  readonly #options: GuestHistoryOptions
  readonly #clock: () => number
  #store: Store | undefined
  #inbox: Inbox | undefined
  #lives = new Map<string, GuestState>()
  #secret: Uint8Array | undefined
  #writes = 0
  /** How many changes of a guest are on their way to the store. */
  readonly #pending = new Map<string, number>()
  /** Guests of whom something could not be written. */
  readonly #unkept = new Set<string>()
  /** By the address of an offer: for whom, and which kernel it will fetch. */
  readonly #offers = new Map<string, { guest: string; kernel: string }>()
  /** By address: the guest that was last offered an installation there, or whose installer spoke from there. */
  readonly #machines = new Map<string, string>()
  /** By address and path: whose answer file that is there. */
  readonly #asked = new Map<string, { guest: string; own: boolean; local: boolean; self: boolean }>()

  constructor(options: GuestHistoryOptions) {
    this.#options = options
    this.#clock = options.clock ?? Date.now
  }

  async open(store: Store): Promise<void> {
    this.#store = store
    this.#inbox = new Inbox({
      store,
      clock: this.#clock,
      onTrouble: (error) => this.#trouble('inbox', error),
    })
    this.#secret = await store.secret()
    this.#lives = new Map(await store.lives())
    for (const [guest, life] of this.#lives) this.#place(guest, life)
  }

  async close(): Promise<void> {
    await this.#inbox?.flush()
    await this.#store?.close()
    this.#store = undefined
  }

  /** Never rejects: what we knew until now goes on to hold. */
  readonly fresh = async (): Promise<void> => {
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
      const read = new Map(await store.lives())
      // What we know of a guest whose change is on its way to the disk, or never got there, is newer than the disk.
      for (const guest of [...this.#pending.keys(), ...this.#unkept]) copyEntry(this.#lives, read, guest)
      this.#lives = read
    }
  }

  readonly stateOf = (guest: string): GuestState | undefined => {
    const life = this.#lives.get(guest)
    return life && stateAt(life, this.#clock())
  }

  /** What the machine at an address is in the middle of installing. */
  readonly boundAt = (address: string): OfferedRelease | undefined => {
    const name = this.#machines.get(address)
    const guest = name === undefined ? undefined : this.#options.guests().byName(name)
    const life = guest && this.stateOf(guest.name)
    if (!guest || (life?.offer?.client !== address && life?.installer !== address)) return undefined
    return pinnedOffer(guest, life)?.release
  }

  /** Every tree in a version that some guest is in the middle of installing from. */
  bound(): { readonly tree: string; readonly release: OfferedRelease }[] {
    return boundTrees(this.#options.guests(), this.stateOf)
  }

  readonly reportToken = (guest: string): string | undefined =>
    this.#secret && reportToken(this.#secret, guest, (this.stateOf(guest) ?? newState).install)

  readonly decided = async (told: {
    readonly who: Requester
    readonly guest?: string
    readonly plan: BootPlan
    readonly facts: GuestFacts
  }): Promise<void> => {
    const { who, plan } = told
    const guest = told.guest === undefined ? undefined : this.#options.guests().byName(told.guest)
    if (!guest) return this.unknown(told.facts, who)
    const client = who.address
    if (plan.kind === 'local-disk') return this.#tell(guest.name, { type: 'sent-to-disk', client })
    if (plan.kind !== 'install') return
    remember(this.#offers, client, { guest: guest.name, kernel: plan.kernel.place })
    const { id: tree, release } = plan.tree
    await this.#tell(guest.name, {
      type: 'offered',
      tree,
      ...(release && { release }),
      wanted: treeWish(guest),
      client,
    })
  }

  readonly unknown = (facts: GuestFacts, who: Requester): void =>
    this.seen({ ...facts, ...(who.address !== '' && { address: who.address }) })

  /** The story of a guest's present installation, oldest step first. */
  async story(guest: string): Promise<readonly Step[]> {
    return (await this.#store?.story(guest, (this.stateOf(guest) ?? newState).install)) ?? []
  }

  async inbox(): Promise<readonly Machine[]> {
    await this.#inbox?.flush()
    const all = (await this.#store?.inbox()) ?? []
    // Whoever was made a guest may have asked once more before we heard of it.
    return all.filter(({ mac, uuid }) => {
      const facts = { ...(mac && { macs: [mac] }), ...(uuid && { uuid }) }
      return this.#options.guests().match(facts) === undefined
    })
  }

  /** A machine that is no guest asked for boot. For services that learn more of it than a request says: DHCP. */
  readonly seen = (seenMachine: SeenMachine): void => this.#inbox?.seen(seenMachine)

  readonly asked = (guest: Guest, who: Requester, path: string): void => {
    if (who.protocol === 'internal') return
    const { address, localAddress } = who
    const own = guest.ip !== undefined && guest.ip === canonicalIp(address)
    const self = address === localAddress
    const local = self || isLoopback(address)
    remember(this.#asked, `${address} ${path}`, { guest: guest.name, own, local, self })
  }

  /** For the event bus: what was really fetched. A HEAD fetches nothing. */
  readonly sink: EventSink = (event) => {
    if (event.type === 'served' && event.outcome === 'complete' && event.bytes > 0) this.#served(event)
  }

  #served({ client, path }: Extract<Event, { type: 'served' }>): void {
    const offer = this.#offers.get(client)
    if (offer?.kernel === path) void this.#tell(offer.guest, { type: 'kernel', client })
    if (!path.startsWith('/ks')) return
    const asked = this.#asked.get(`${client} ${path}`)
    if (!asked) return
    const { guest, own, local, self } = asked
    // No machine boots from itself: this is the operator, looking at what the guest gets. In a laboratory where the two
    // share an address, `ip:` of the guest says so.
    if (!own && (self || (local && this.stateOf(guest)?.offer?.client !== client))) return
    void this.#tell(guest, { type: 'answers', client, own })
  }

  /**
   * Takes the word of a guest. It counts with the token of the running installation, which stands in the answer file's
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
    const shown = detail === undefined ? {} : { detail }
    await this.#tell(guest.name, { type: 'reported', report, client, ...shown })
    this.#options.events({ type: 'report', guest: guest.name, client, state: report, ...shown })
  }

  /** What the operator decides: one installation, or its own disk from now on. */
  async order(guest: string, type: 'armed' | 'kept-local'): Promise<GuestState> {
    await this.fresh()
    await this.#tell(guest, { type })
    return this.stateOf(guest) ?? newState
  }

  #disbelief(guest: Guest, { token, client, local }: ReportOf): string | undefined {
    const life = this.stateOf(guest.name) ?? newState
    if (token !== undefined) {
      const expected = this.reportToken(guest.name)
      if (expected !== undefined && sameToken(expected, token)) return undefined
      return `the token is not that of the present installation of ${guest.name}; its answer file has it in report_url`
    }
    if (local || [guest.ip, life.offer?.client, life.installer].includes(client)) return undefined
    return `${client} is not the address of ${guest.name}; use report_url of the answer file, which holds a token`
  }

  async #tell(guest: string, event: GuestEvent): Promise<void> {
    const atMs = this.#clock()
    const change = nextState(this.#lives.get(guest), event, atMs)
    if (!change || !this.#store) return
    // Known at once, so that the next request, which may be there before the disk is done, is decided on it.
    this.#lives.set(guest, change.life)
    this.#place(guest, change.life)
    this.#pending.set(guest, (this.#pending.get(guest) ?? 0) + 1)
    let stored: GuestState | undefined
    try {
      stored = await this.#store.change(guest, (before) => nextState(before, event, atMs))
      this.#writes++
      this.#unkept.delete(guest)
    } catch (error) {
      // A full disk must not stop a boot. What could not be written holds until we end.
      this.#trouble(`what happens to guest ${guest} is not kept`, error)
      this.#unkept.add(guest)
    }
    const left = (this.#pending.get(guest) ?? 1) - 1
    if (left > 0) return void this.#pending.set(guest, left)
    this.#pending.delete(guest)
    if (stored) this.#lives.set(guest, stored)
  }

  #place(guest: string, { offer, installer }: GuestState): void {
    for (const address of [offer?.client, installer])
      if (address !== undefined) remember(this.#machines, address, guest)
  }

  #trouble(where: string, error: unknown): void {
    this.#options.events({ type: 'trouble', where, message: failureMessage(error) })
  }
}

/** Every tree in a version that some guest is bound to. */
export function boundTrees(
  guests: GuestIndex,
  stateOf: (guest: string) => GuestState | undefined,
): { readonly tree: string; readonly release: OfferedRelease }[] {
  const found = new Map<string, { tree: string; release: OfferedRelease }>()
  for (const guest of guests.all) {
    const life = stateOf(guest.name)
    const { tree, release } = (life && pinnedOffer(guest, life)) ?? {}
    if (tree !== undefined && release)
      found.set(`${tree} ${release.id} ${release.version}`, { tree, release })
  }
  return [...found.values()]
}

function copyEntry<T>(from: ReadonlyMap<string, T>, to: Map<string, T>, key: string): void {
  const value = from.get(key)
  if (value !== undefined) to.set(key, value)
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > watchedMost) map.delete(map.keys().next().value ?? '')
}
