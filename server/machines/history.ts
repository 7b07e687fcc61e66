import type { BootDecision } from '../core/boot/decision.ts'
import { failureMessage } from '../core/failure.ts'
import type { Recorded } from '../core/guest/definitions.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { MachineIdentity } from '../core/guest/identity.ts'
import type { GuestIndex } from '../core/guest/match.ts'
import { nextState } from '../core/guest/next-state.ts'
import {
  type GuestEvent,
  type GuestState,
  type HistoryEntry,
  type HoldReason,
  newState,
  type OfferedEvent,
  pinnedOffer,
  type ReleaseId,
  treeSettingText,
  unfinishedVersions,
  withoutOldOffers,
} from '../core/guest/state.ts'
import { canonicalIp, isLoopback } from '../core/net/address.ts'
import type { Requester } from '../core/net/requester.ts'
import type { EventSink } from '../events/bus.ts'
import { lru } from '../host/lru.ts'
import type { Store } from '../store/store.ts'
import { GuestRecords, heldByDoubt, type StoreSurroundings } from './guest-records.ts'
import { GuestReports } from './guest-reports.ts'
import { GuestStates } from './guest-states.ts'
import type { ReceivedReport } from './report-trust.ts'
import { reportToken } from './token.ts'

export interface GuestHistoryOptions {
  readonly guests: () => GuestIndex
  readonly events: EventSink
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Called with each guest whose state was written or read. */
  readonly onState?: (guest: string) => void
}

/** What an operator can decide for a guest. */
export type Order = Extract<GuestEvent, { type: 'install-once' | 'take-back' | 'local' | 'hold' }>

/** How many addresses are remembered. A boot ends long before so many other machines begin theirs. */
const mostAddresses = 10_000

/** The last offer of an installer to one address. */
interface SentOffer {
  readonly guest: string
  readonly event: OfferedEvent
  /** Number of the installation that it was made for: an order of the operator ends it. */
  readonly install: number
}

/**
 * The state and history of every guest: what it was offered, fetched and reported. It writes to the store,
 * and holds in memory what the store holds, so that no decision waits for the disk. Another process may write
 * to the store as well; `fresh` reads what it wrote.
 */
export class GuestHistory {
  readonly #options: GuestHistoryOptions
  readonly #states: GuestStates
  readonly #records: GuestRecords
  readonly #reports: GuestReports
  #store: Store | undefined
  #secret: Uint8Array | undefined
  /** By address: the last offer. */
  readonly #offers = lru<string, SentOffer>(mostAddresses)
  /**
   * By address: the guest that was last offered an installation there, or that fetched its answer file from
   * there.
   */
  readonly #guestAt = lru<string, string>(mostAddresses)

  constructor(options: GuestHistoryOptions) {
    const { guests, clock, events } = options
    this.#options = options
    this.#states = new GuestStates({
      events,
      clock,
      retryOf: (guest) => guests().byName(guest)?.settings.retry.value ?? false,
      onState: (guest, state) => {
        this.#rememberAddresses(guest, state)
        options.onState?.(guest)
      },
    })
    this.#records = new GuestRecords({
      guests,
      clock,
      states: this.#states,
      onTrouble: (error) =>
        events({ type: 'trouble', where: 'the records of the guests', message: failureMessage(error) }),
    })
    this.#reports = new GuestReports({
      events,
      clock,
      states: this.#states,
      records: this.#records,
      secret: () => this.#secret,
      stateOf: (guest) => this.stateOf(guest),
      tokenOf: (guest) => this.reportToken(guest),
      installNumber: (guest) => this.#installNumber(guest),
    })
  }

  async open(store: Store, surroundings: StoreSurroundings): Promise<void> {
    this.#store = store
    this.#secret = await store.secret()
    await this.#states.open(store)
    await this.#records.open(store, surroundings)
  }

  /** Stores once more what could not be stored. The caller closes the store. */
  async close(): Promise<void> {
    await this.#states.close()
    this.#store = undefined
  }

  /**
   * Reads what other processes wrote to the store, and records guests that are new in the configuration. Never
   * rejects: when it fails, the states in memory stay.
   */
  async fresh(): Promise<void> {
    await this.#states.fresh()
    await this.#records.fresh()
  }

  /** Why no installation may begin now, for people: it could not be remembered. */
  whyNotWritable(): string | undefined {
    return this.#states.whyNotWritable()
  }

  /** Why the store may have forgotten installations, and the guests that are held for it. */
  doubt(): { readonly reason: HoldReason; readonly held: readonly string[] } | undefined {
    const reason = this.#records.doubt
    return reason && { reason, held: heldByDoubt(this.#states.all, this.#options.guests()) }
  }

  /**
   * The state now, without expired offers; undefined before the store is open. A guest that has no record yet is
   * held.
   */
  stateOf(guest: string): GuestState | undefined {
    const state = this.#records.shown(guest)
    return state && withoutOldOffers(state, this.#options.clock())
  }

  /** The states of all records as they are stored, also of guests that are not defined. */
  get states(): ReadonlyMap<string, GuestState> {
    return this.#states.all
  }

  /** Versions from which machines may be installing, also of guests that are not defined any more. */
  unfinishedVersions(): ReadonlySet<string> {
    return unfinishedVersions(this.#states.all.values(), this.#options.clock())
  }

  /** The version of a tree that the machine at an address sees until its installation ends. */
  boundAt(address: string): ReleaseId | undefined {
    const name = this.#guestAt.peek(address)
    const guest = name === undefined ? undefined : this.#options.guests().byName(name)
    const state = guest && this.stateOf(guest.name)
    if (!guest || !state) return undefined
    const { installer: installerAddress } = state
    // `#guestAt` may be out of date: the address may have lost its offer since.
    if (installerAddress !== address && !hasOffer(state, address)) return undefined
    return pinnedOffer(guest, state, address)?.release
  }

  /** The token that reports of the guest's present installation carry; only its answer file has it. */
  reportToken(guest: string): string | undefined {
    return this.#secret && reportToken(this.#secret, guest, this.#installNumber(guest))
  }

  /** The history of a guest's present installation, oldest line first. */
  async history(guest: string): Promise<readonly HistoryEntry[]> {
    return (await this.#store?.history(guest, this.#installNumber(guest))) ?? []
  }

  /** The number of the guest's present installation. */
  #installNumber(guest: string): number {
    return (this.stateOf(guest) ?? newState).install
  }

  /** Stores what a boot configuration told a guest, after the configuration was sent completely. */
  async booted({ guest: name, localDisk, offer }: BootDecision, client: string): Promise<void> {
    const guest = name === undefined ? undefined : this.#options.guests().byName(name)
    if (!guest) return
    if (localDisk) return this.#note(guest.name, { type: 'sent-to-disk', client })
    if (!offer) return
    const event: OfferedEvent = { type: 'offered', ...offer, treeSetting: treeSettingText(guest), client }
    const sent: SentOffer = { guest: guest.name, event, install: this.#installNumber(guest.name) }
    this.#offers.set(client, sent)
    await this.#note(guest.name, event)
    // `treeboot install` in another process may have begun a new installation, of which only the store knew.
    const state = this.stateOf(guest.name)
    if (state && hasOffer(state, client) && this.#offers.peek(client) === sent)
      this.#offers.set(client, { ...sent, install: state.install })
  }

  /**
   * Notes that a file was sent completely. The file may be the kernel of the installer that this address was
   * offered.
   */
  fetched(client: string, path: string): void {
    const offered = this.#offers.peek(client)
    if (offered?.event.kernel === path) void this.#kernelLoaded(offered, client)
    else if (!offered) this.#fetchedAfterRestart(client, path)
  }

  async #kernelLoaded({ guest, event, install }: SentOffer, client: string): Promise<void> {
    // `#offers` remembers more than the state, which keeps 16 offers for each guest. If newer offers displaced
    // this offer from the state, it is stored again.
    const state = this.stateOf(guest)
    if (state?.install === install && !hasOffer(state, client)) await this.#note(guest, event)
    await this.#note(guest, { type: 'kernel', client })
  }

  /** After a restart `#offers` is empty, so the offer is looked up in the stored state. */
  #fetchedAfterRestart(client: string, path: string): void {
    const guest = this.#guestAt.peek(client)
    const offers = (guest === undefined ? undefined : this.stateOf(guest)?.offers) ?? []
    if (guest !== undefined && offers.some((offer) => offer.client === client && offer.kernel === path))
      void this.#note(guest, { type: 'kernel', client })
  }

  /**
   * Stores that an answer file is about to be sent. An installation may begin with it: from then on the
   * machine's disk may be wiped. Resolves when the store has it. `nextState` decides whether the fetch
   * counts.
   *
   * @throws Failure `unavailable` when the beginning cannot be stored: the file must then not be sent.
   */
  async claimAnswerFile(guest: Guest, { protocol, address, localAddress }: Requester): Promise<void> {
    if (protocol === 'internal') return
    const { name } = guest
    const own = guest.ip !== undefined && guest.ip === canonicalIp(address)
    const state = this.stateOf(name)
    const isOffered = state !== undefined && hasOffer(state, address)
    // Requests from treeboot's own machine do not count: they come from the operator, who looks at the file.
    // In a laboratory a guest may share treeboot's address. Its requests count if `ip:` gives it that address
    // (`own`), or if they come from the loopback address and the installation was offered to that address.
    const isOperator = address === localAddress || (isLoopback(address) && !isOffered)
    if (isOperator && !own) return
    const sent = this.#offers.peek(address)
    // As in `#kernelLoaded`: an offer that newer offers displaced is stored again.
    if (sent?.guest === name && sent.install === state?.install && !isOffered)
      await this.#note(name, sent.event)
    await this.#states.apply(name, {
      type: 'answer-file',
      client: address,
      own,
      retry: guest.settings.retry.value,
    })
  }

  /** See `GuestReports.report`. */
  async report(guest: Guest, received: ReceivedReport): Promise<void> {
    await this.fresh()
    await this.#reports.report(guest, received)
  }

  /**
   * Stores what the operator decides for a guest: one installation, or its own disk from now on.
   *
   * @throws Failure `unavailable` when it cannot be stored now. `install-once` has then changed nothing; the others
   *   are in force.
   */
  async order(guest: string, order: Order): Promise<GuestState> {
    await this.fresh()
    await this.#states.apply(guest, order)
    // What is decided of a guest that is about to be made says nothing of those that the store may have forgotten.
    if (this.#options.guests().byName(guest)) await this.#records.endDoubtIfOver()
    return this.stateOf(guest) ?? newState
  }

  /** What all records say of this machine, see `GuestRecords.recordedOf`. */
  async recordedOf(identity: MachineIdentity): Promise<Recorded> {
    await this.fresh()
    return this.#records.recordedOf(identity)
  }

  /** See `GuestRecords.add`. */
  addRecord(guest: Guest): Promise<void> {
    return this.#records.add(guest)
  }

  /**
   * Stores that guests boot their own disks, also such as are about to be made. All of them or none.
   *
   * @throws Failure `unavailable` when that cannot be stored now.
   */
  async keepLocal(guests: readonly string[]): Promise<void> {
    await this.fresh()
    const atMs = this.#options.clock()
    await this.#states.record(
      guests.map((guest) => ({
        kind: 'change',
        guest,
        decide: (state) => nextState(state, { type: 'local' }, atMs),
      })),
    )
  }

  /** Forgets which machines a guest was, see `changesToForget`. */
  async forget(name: string, by: string): Promise<GuestState> {
    await this.fresh()
    await this.#records.forget(name, by)
    return this.stateOf(name) ?? newState
  }

  /** Stores what must not be installed before the definition of a guest gets a new name, see `changesForRename`. */
  async beforeRename(guest: Guest, newName: string): Promise<boolean> {
    await this.fresh()
    return this.#records.beforeRename(guest, newName)
  }

  /** Notes what a machine was told or fetched. It is not promised to anybody, so a failure changes nothing. */
  async #note(guest: string, event: GuestEvent): Promise<void> {
    await this.#states.apply(guest, event).catch(() => undefined)
  }

  #rememberAddresses(guest: string, { offers = [], installer: installerAddress }: GuestState): void {
    for (const { client } of offers) this.#guestAt.set(client, guest)
    if (installerAddress !== undefined) this.#guestAt.set(installerAddress, guest)
  }
}

/** The versions of trees to which open offers bind guests: these versions must stay readable. */
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
