import type { Snapshot } from '../catalog/snapshot.ts'
import type { BootDecision } from '../core/boot/decision.ts'
import type { ClientFacts } from '../core/boot/firmware.ts'
import { defined } from '../core/defined.ts'
import { failureMessage } from '../core/failure.ts'
import type { Recorded } from '../core/guest/definitions.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { MachineIdentity } from '../core/guest/identity.ts'
import { archsInDhcp, machineFacts, type RawFacts } from '../core/guest/machine-facts.ts'
import type { SeenMachine, UnknownMachine } from '../core/guest/seen-machine.ts'
import { type GuestState, type HistoryEntry, type ReleaseId, whyForgotten } from '../core/guest/state.ts'
import { parseBootPath } from '../core/loader/boot-path.ts'
import { canonicalMac } from '../core/net/mac.ts'
import type { Requester } from '../core/net/requester.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { Event, EventSink } from '../events/bus.ts'
import type { Store } from '../store/store.ts'
import type { StoreSurroundings } from './guest-records.ts'
import { boundTrees, GuestHistory, type Order } from './history.ts'
import { LoaderMemory } from './loader-memory.ts'
import { MachineNames } from './machine-names.ts'
import type { ReceivedReport } from './report-trust.ts'
import { SelectorTies } from './selector-ties.ts'
import { UnknownMachines } from './unknown.ts'
import { VersionViews } from './views.ts'

/** What decisions need to know of the machines' past. Its methods change nothing. */
export interface MachineStates {
  /**
   * The state of a guest now, without expired offers; undefined for a guest to which nothing ever happened.
   */
  stateOf(guest: string): GuestState | undefined
  /** The versions of published trees that a client has begun to fetch, by id of the published tree. */
  versionsOf(who: Requester): ReadonlyMap<string, number>
  /** Why no installation may begin now, for people: it could not be remembered. */
  whyNotWritable(): string | undefined
}

/** What the namespace needs to know of the machines, and to write down about them. */
export interface BootMachines extends MachineStates {
  /** Reads what other processes wrote to the store. Resolves at once when they wrote nothing. */
  fresh(): Promise<void>
  /** The version of a published tree in which a client sees a path inside of it. `current` is the newest. */
  versionFor(who: Requester, current: ReleaseId, path: string): number
  /** The UUID of the machine with this MAC; undefined unless a DHCP request named both. */
  uuidOf(mac: string): string | undefined
  /** What DHCP requests told of the machine with these names; nothing when none came. */
  shownByDhcp(facts: Pick<RawFacts, 'macs' | 'uuid'>): RawFacts
  /** The token that reports of the guest's present installation carry; only its answer file has it. */
  reportToken(guest: string): string | undefined
  /**
   * Stores that an answer file is about to be sent. The caller must await it before it sends the first byte.
   */
  claimAnswerFile(guest: Guest, who: Requester): Promise<void>
}

export interface MachinesOptions {
  readonly snapshot: () => Snapshot
  readonly events: EventSink
  /** Milliseconds since 1970. */
  readonly clock?: () => number
  /** The MAC of a machine on a network that we are on, by its address. */
  readonly macAt?: (address: string) => Promise<string | undefined>
}

type Served = Extract<Event, { type: 'served' }>

/** The path of a view that begins with a lookup and not with a fetched file. No tree has this path. */
const lookupPath = '/lookup'

/**
 * What each machine was offered and fetched, and the state that it is in: everything that several servers
 * would have to share. `sink` learns from the events what was really sent. Reading methods change nothing.
 */
export class Machines implements BootMachines {
  readonly loaders = new LoaderMemory()
  readonly #options: MachinesOptions
  readonly #history: GuestHistory
  readonly #views: VersionViews
  readonly #names = new MachineNames()
  #onGuest: (guest: string) => void = () => {}
  readonly #ties = new SelectorTies()
  #store: Store | undefined
  #unknown: UnknownMachines | undefined

  constructor(options: MachinesOptions) {
    const { snapshot, events, clock = Date.now } = options
    this.#options = options
    this.#history = new GuestHistory({
      guests: () => snapshot().guests,
      events,
      clock,
      onState: (guest) => this.#onGuest(guest),
    })
    // Views are in memory alone, so no clock that is set ends one in the middle of an installation.
    this.#views = new VersionViews({
      bound: (address) => this.#history.boundAt(address),
      clock: options.clock ?? (() => performance.now()),
    })
  }

  /** @param surroundings By what the store is judged. */
  async open(store: Store, surroundings: StoreSurroundings): Promise<void> {
    const { clock = Date.now } = this.#options
    this.#store = store
    this.#unknown = new UnknownMachines({
      store,
      clock,
      onTrouble: (error) => this.#trouble('unknown machines', error),
    })
    await this.#history.open(store, surroundings)
  }

  async close(): Promise<void> {
    await this.#unknown?.flush()
    await this.#history.close()
    await this.#store?.close()
    this.#store = undefined
  }

  fresh(): Promise<void> {
    return this.#history.fresh()
  }

  stateOf(guest: string): GuestState | undefined {
    return this.#history.stateOf(guest)
  }

  whyNotWritable(): string | undefined {
    return this.#history.whyNotWritable()
  }

  versionFor(who: Requester, current: ReleaseId, path: string): number {
    return this.#views.versionFor(who, current, path)
  }

  versionsOf(who: Requester): ReadonlyMap<string, number> {
    return this.#views.versionsOf(who)
  }

  uuidOf(mac: string): string | undefined {
    return this.#names.uuidOf(mac)
  }

  shownByDhcp(facts: Pick<RawFacts, 'macs' | 'uuid'>): RawFacts {
    return this.#names.shown(facts)
  }

  reportToken(guest: string): string | undefined {
    return this.#history.reportToken(guest)
  }

  claimAnswerFile(guest: Guest, who: Requester): Promise<void> {
    return this.#history.claimAnswerFile(guest, who)
  }

  /** Calls the listener with each guest whose state was written or read: it may be as before. There is one listener. */
  onGuest(listener: (guest: string) => void): void {
    this.#onGuest = listener
  }

  /** The versions of trees to which open offers bind guests: these versions must stay readable. */
  boundTrees(): ReturnType<typeof boundTrees> {
    return boundTrees(this.#options.snapshot().guests, (guest) => this.stateOf(guest))
  }

  /** Versions from which machines may be installing, as `id@version`; see `GuestHistory`. */
  unfinishedVersions(): ReadonlySet<string> {
    return this.#history.unfinishedVersions()
  }

  /**
   * Stores the report of a guest.
   *
   * @throws Failure `forbidden` for a report that cannot be believed, `unavailable` when it cannot be stored now.
   */
  report(guest: Guest, received: ReceivedReport): Promise<void> {
    return this.#history.report(guest, received)
  }

  /**
   * Stores what the operator decides for a guest: one installation, or its own disk from now on.
   *
   * @throws Failure `unavailable` when it cannot be stored now, see `GuestHistory.order`.
   */
  order(guest: string, order: Order): Promise<GuestState> {
    return this.#history.order(guest, order)
  }

  /**
   * To be called before the definition of a guest gets a new name, so that nothing is installed for that.
   *
   * @returns Whether the guest is held under its new name: nothing tells that it is the same machine.
   * @throws Failure `conflict` while it is being installed, `unavailable` when that cannot be stored now.
   */
  beforeRename(guest: Guest, newName: string): Promise<boolean> {
    return this.#history.beforeRename(guest, newName)
  }

  /** What all records say of this machine, also those of guests whose definition is gone. */
  recordedOf(identity: MachineIdentity): Promise<Recorded> {
    return this.#history.recordedOf(identity)
  }

  /**
   * Gives a guest that is about to be made its record: it is to be installed.
   *
   * @throws Failure `unavailable` when that cannot be stored now.
   */
  addRecord(guest: Guest): Promise<void> {
    return this.#history.addRecord(guest)
  }

  /** Stores that guests boot their own disks, see `GuestHistory.keepLocal`. */
  keepLocal(guests: readonly string[]): Promise<void> {
    return this.#history.keepLocal(guests)
  }

  /**
   * Forgets which machines a guest was; also one that is not defined any more. It boots its disk until its installation is
   * ordered.
   *
   * @throws Failure `not-found`; `conflict` while it is being installed; `unavailable` when it cannot be stored now.
   */
  forget(name: string, by: string): Promise<GuestState> {
    return this.#history.forget(name, by)
  }

  /** Guests that were to be installed and never booted, one line each for people. */
  forgottenOrders(): readonly string[] {
    const { snapshot, clock = Date.now } = this.#options
    return snapshot().guests.all.flatMap(({ name }) => {
      const state = this.stateOf(name)
      const why = state && whyForgotten(name, state, clock())
      return why === undefined ? [] : [why]
    })
  }

  /** Machines that several profiles select, and none of them more particularly than the others. */
  selectorProblems(): readonly SnapshotProblem[] {
    return this.#ties.problems(this.#options.snapshot().selectors, (facts) => this.#isGuest(facts))
  }

  /** Why the store may have forgotten installations, and the guests that are held for it. */
  doubt(): ReturnType<GuestHistory['doubt']> {
    return this.#history.doubt()
  }

  /** The history of a guest's present installation, oldest line first. */
  history(guest: string): Promise<readonly HistoryEntry[]> {
    return this.#history.history(guest)
  }

  /** All machines that asked for network boot, guests included. The one seen last comes first. */
  async seenMachines(): Promise<readonly UnknownMachine[]> {
    await this.#unknown?.flush()
    return (await this.#store?.unknownMachines()) ?? []
  }

  async unknownMachines(): Promise<readonly UnknownMachine[]> {
    const all = await this.seenMachines()
    // A machine may have asked once more after it was made a guest, before this process read the changed
    // configuration.
    return all.filter(({ mac, uuid }) => !this.#isGuest(defined({ macs: mac ? [mac] : undefined, uuid })))
  }

  /** Takes an unknown machine off the list, until it asks again. False when it is not there. */
  async forgetUnknownMachine(id: string): Promise<boolean> {
    const isListed = (await this.unknownMachines()).some((machine) => machine.id === id)
    return isListed && ((await this.#unknown?.forget(id)) ?? false)
  }

  /** Notes that a machine asked by DHCP for network boot. `explain` needs that of guests, too. */
  askedByDhcp(client: ClientFacts, firmware: string): void {
    const { mac, uuid, vendorClass } = client
    const macs = mac === undefined ? undefined : [mac]
    this.#unknown?.seen({ firmware, ...defined({ macs, uuid, vendor: vendorClass }) })
    const archs = archsInDhcp(firmware, client.archs)
    if (mac !== undefined) this.#names.show(mac, defined({ archs, vendorClass }))
  }

  /** Notes a MAC and a UUID that one DHCP request named: they belong to the same machine. */
  learnNames(mac: string, uuid: string): void {
    this.#names.learn(mac, uuid)
  }

  /** Notes that a client asks the lookup, and so starts over with the newest versions. */
  lookedUp(who: Requester): void {
    this.#views.lookedUp(who)
  }

  /**
   * Notes that the lookup named a version of a published tree to a client, which fetches from that version
   * next.
   */
  namedVersion(who: Requester, release: ReleaseId): void {
    this.#views.fetched(who, { release, path: lookupPath, transferMs: 0 })
  }

  /** Takes events from the bus, which tell what was really sent. */
  readonly sink: EventSink = (event) => {
    if (event.type === 'served') this.#served(event)
    else if (event.type === 'fetching' && event.decision.kind === 'tree-file')
      this.#views.fetched(event.who, { ...event.decision, transferMs: 0 })
  }

  #served(event: Served): void {
    const { client, path, decision, who, ms } = event
    // During a long transfer the client does not pause.
    this.#views.transferred(client, ms)
    // HEAD and the LOOKUP of NFS fetch nothing.
    if (event.question) return
    if (event.kind === 'not-found') this.#notFound(event)
    if (event.bytes === 0) return
    if (decision?.kind === 'tree-file' && who) this.#views.fetched(who, { ...decision, transferMs: ms })
    // Only a file that was sent to its end makes an offer or counts as a loaded kernel.
    if (event.outcome !== 'complete') return
    if (decision?.kind === 'boot') this.#booted(event, decision)
    else if (this.loaders.mayHaveSent(path)) void this.#tookLoader(client, path)
    this.#history.fetched(client, path)
  }

  async #tookLoader(client: string, path: string): Promise<void> {
    const mac = await this.#options.macAt?.(client).catch(() => undefined)
    this.loaders.fetched(path, mac === undefined ? undefined : canonicalMac(mac))
  }

  #booted({ protocol, client }: Served, decision: BootDecision): void {
    const { guest, facts, summary, loader } = decision
    const mac = this.#macOf(decision)
    const machine = mac ?? facts.uuid
    this.#options.events({
      type: 'boot',
      protocol,
      client,
      decision: summary,
      ...defined({ guest, machine }),
    })
    if (mac !== undefined) this.loaders.ran(mac, loader)
    if (guest === undefined) this.#unknownBooted(decision, client)
    else {
      // By what a guest shows, another card of its machine is known.
      this.#unknown?.seen({ ...facts, ...(client !== '' && { address: client }) })
      void this.#history.booted(decision, client)
    }
  }

  #unknownBooted({ facts, shown }: BootDecision, client: string): void {
    this.#seen({ ...facts, ...defined({ vendor: shown?.maker }) }, client)
    if (shown) this.#ties.note(shown, this.#options.snapshot().selectors)
  }

  #macOf({ facts: { macs = [], uuid } }: BootDecision): string | undefined {
    const [mac] = macs
    if (mac !== undefined) return canonicalMac(mac)
    return uuid === undefined ? undefined : this.#names.macOf(uuid)
  }

  /**
   * A loader that asks for a file name with a MAC or a UUID gets 404 unless that machine is a guest. So after a
   * 404 the file name identifies an unknown machine.
   */
  #notFound({ protocol, client, path }: Served): void {
    // The loaders that we send fetch by these two services alone.
    if (protocol !== 'tftp' && protocol !== 'http') return
    const owner = parseBootPath(path)?.owner
    if (owner?.kind !== 'machine') return
    this.#seen(owner, client)
    const { macs, uuid } = owner
    const byDhcp = this.#names.shown(defined({ macs, uuid }))
    const facts = machineFacts({
      ...byDhcp,
      macs: macs.length > 0 ? macs : byDhcp.macs,
      uuid,
      address: client,
    })
    if (!this.#isGuest(facts)) this.#ties.note(facts, this.#options.snapshot().selectors)
  }

  #seen(shown: SeenMachine, address: string): void {
    const { macs, uuid, serial, vendor } = shown
    const facts = defined({ macs, uuid, serial })
    const seen = { ...facts, ...defined({ vendor }) }
    if (!this.#isGuest(facts)) this.#unknown?.seen({ ...seen, ...(address !== '' && { address }) })
  }

  #isGuest(facts: Pick<SeenMachine, 'macs' | 'uuid' | 'serial'>): boolean {
    return this.#options.snapshot().guests.match(facts) !== undefined
  }

  #trouble(where: string, error: unknown): void {
    this.#options.events({ type: 'trouble', where, message: failureMessage(error) })
  }
}
