import type { Snapshot } from '../catalog/snapshot.ts'
import type { ClientFacts } from '../core/boot/firmware.ts'
import { defined } from '../core/defined.ts'
import { failureMessage } from '../core/failure.ts'
import type { Recorded } from '../core/guest/definitions.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { MachineIdentity } from '../core/guest/identity.ts'
import { archsInDhcp, type RawFacts } from '../core/guest/machine-facts.ts'
import type { UnknownMachine } from '../core/guest/seen-machine.ts'
import { type GuestState, type HistoryEntry, type ReleaseId, whyForgotten } from '../core/guest/state.ts'
import type { Requester } from '../core/net/requester.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { EventSink } from '../events/bus.ts'
import type { Store } from '../store/store.ts'
import type { BootMachines } from './boot-machines.ts'
import type { StoreSurroundings } from './guest-records.ts'
import { boundTrees, GuestHistory, type Order } from './history.ts'
import { LoaderMemory } from './loader-memory.ts'
import { MachineNames } from './machine-names.ts'
import type { ReceivedReport } from './report-trust.ts'
import { SelectorTies } from './selector-ties.ts'
import { isGuest, ServedFiles } from './served-files.ts'
import { UnknownMachines } from './unknown.ts'
import { VersionViews } from './views.ts'

export interface MachinesOptions {
  readonly snapshot: () => Snapshot
  readonly events: EventSink
  /** Milliseconds since 1970. */
  readonly clock?: () => number
  /** The MAC of a machine on a network that we are on, by its address. */
  readonly macAt?: (address: string) => Promise<string | undefined>
}

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
  readonly #servedFiles: ServedFiles
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
    this.#servedFiles = new ServedFiles({
      snapshot,
      events,
      macAt: options.macAt,
      loaders: this.loaders,
      history: this.#history,
      views: this.#views,
      names: this.#names,
      ties: this.#ties,
      unknown: () => this.#unknown,
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

  /** The states of all records, also of guests that are not defined. */
  get states(): ReadonlyMap<string, GuestState> {
    return this.#history.states
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
    return this.#ties.problems(this.#options.snapshot().selectors, (facts) =>
      isGuest(this.#options.snapshot(), facts),
    )
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
    return all.filter(
      ({ mac, uuid }) => !isGuest(this.#options.snapshot(), defined({ macs: mac ? [mac] : undefined, uuid })),
    )
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
    if (event.type === 'served') this.#servedFiles.note(event)
    else if (event.type === 'fetching' && event.decision.kind === 'tree-file')
      this.#views.fetched(event.who, { ...event.decision, transferMs: 0 })
  }

  #trouble(where: string, error: unknown): void {
    this.#options.events({ type: 'trouble', where, message: failureMessage(error) })
  }
}
