import { Failure, failureMessage } from '../core/failure.ts'
import { nextState } from '../core/guest/next-state.ts'
import { bootsInstaller, type GuestEvent, type GuestState, leadsToInstallation } from '../core/guest/state.ts'
import type { EventSink } from '../events/bus.ts'
import type { RecordChange, Store } from '../store/store.ts'
import { StoreHealth } from './store-health.ts'

export interface GuestStatesOptions {
  readonly events: EventSink
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Whether a failed installation of this guest begins again by itself. */
  readonly retryOf: (guest: string) => boolean
  /** Called with each new state. */
  readonly onState: (guest: string, state: GuestState) => void
  /** How often what could not be stored is tried again. */
  readonly retryMs?: number
}

const usualRetryMs = 2_000
/** How many events of one guest wait for the store. Of more, the oldest are forgotten: the newest say its state. */
const mostUnwritten = 100

interface TimedEvent {
  readonly event: GuestEvent
  readonly atMs: number
}

/** An event that is in force in memory. */
interface InForce extends TimedEvent {
  /** Whether it only adds a line to the history. Such an event may be lost. */
  readonly isLine: boolean
}

/**
 * The states of all guests, in memory and in the store. Decisions read them in memory, so that none waits for the
 * disk.
 *
 * Changes have a direction (`leadsToInstallation`). What leads a machine to its disk is in force at once, and is
 * tried again until the store has it. What leads to an installation is in force when the store has it, and else
 * nothing has changed. In both cases the promise resolves when the change is on the disk.
 */
export class GuestStates {
  readonly #options: GuestStatesOptions
  readonly #health: StoreHealth
  #store: Store | undefined
  #states = new Map<string, GuestState>()
  /** How many changes this process has written. */
  #writes = 0
  /** How often other processes were seen to have written, and up to which of these times memory has what they wrote. */
  #foreign = { seen: 0, read: 0, logged: 0 }
  /** By guest: its writes, which are made one after the other. */
  readonly #writing = new Map<string, { last: Promise<unknown>; count: number }>()
  /** By guest: events that are in force, and that the store does not have yet; oldest first. */
  readonly #unwritten = new Map<string, InForce[]>()
  #timer: NodeJS.Timeout | undefined
  #isTrying = false

  constructor(options: GuestStatesOptions) {
    this.#options = options
    this.#health = new StoreHealth(options.clock)
  }

  async open(store: Store): Promise<void> {
    this.#store = store
    this.#replace(new Map(await store.states()))
    const { retryMs = usualRetryMs } = this.#options
    this.#timer = setInterval(() => void this.#tryAgain(), retryMs).unref()
  }

  /** Tries once more to store what could not be stored. The caller closes the store. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#flush()
    this.#store = undefined
  }

  get(guest: string): GuestState | undefined {
    return this.#states.get(guest)
  }

  get all(): ReadonlyMap<string, GuestState> {
    return this.#states
  }

  /** Another number after each change by another process that `fresh` has read. */
  get foreignChanges(): number {
    return this.#foreign.read
  }

  /** Why no installation may begin, for people; undefined when the store can be written. */
  whyNotWritable(): string | undefined {
    return this.#store && this.#health.whyNot()
  }

  /**
   * Reads what other processes wrote to the store. Never rejects: when it fails, the states in memory stay.
   */
  async fresh(): Promise<void> {
    const store = this.#store
    if (!store) return
    if (this.#health.isStale) await this.#probe(store)
    try {
      // The store says it once. Who asks while that is being read, or after it could not be read, must read it, too.
      if (store.changedElsewhere()) this.#foreign.seen++
      const { seen } = this.#foreign
      if (this.#foreign.read === seen) return
      await this.#readAgain(store)
      this.#foreign.read = Math.max(this.#foreign.read, seen)
    } catch (error) {
      const { seen, logged } = this.#foreign
      if (seen > logged) this.#trouble('what other processes wrote cannot be read', error)
      this.#foreign.logged = seen
    }
  }

  /**
   * Applies an event. Resolves when the change is on the disk.
   *
   * @throws Failure `unavailable` when the change of the state cannot be stored. A mere line of history that cannot
   *   be stored is dropped.
   */
  async apply(guest: string, event: GuestEvent): Promise<void> {
    if (!this.#store) return
    const { clock, retryOf } = this.#options
    const atMs = clock()
    if (leadsToInstallation(event, retryOf(guest)))
      return this.#inTurn(guest, () => this.#storeFirst(guest, { event, atMs }))
    const before = this.#states.get(guest)
    const change = nextState(before, event, atMs)
    // Nothing but an order or a change of the state makes a record of a guest that has none.
    if (!before && change && bootsInstaller(change.state.state, false)) return
    // A report that is repeated changes nothing, but its sender must not believe that it is stored.
    if (!change)
      return this.#unwritten.has(guest) ? this.#inTurn(guest, () => this.#catchUp(guest)) : undefined
    // Memory first: the next request may come before the write ends, and its decision must rest on the new state.
    this.#set(guest, change.state)
    const isLine = before?.state === change.state.state && before.install === change.state.install
    const waiting = this.#unwritten.get(guest) ?? []
    waiting.push({ event, atMs, isLine })
    if (waiting.length > mostUnwritten) waiting.shift()
    this.#unwritten.set(guest, waiting)
    return this.#inTurn(guest, () => this.#catchUp(guest))
  }

  /**
   * Makes changes of the records, all or none, then reads the states again.
   *
   * @throws Failure `unavailable` when they cannot be stored.
   */
  async record(changes: readonly RecordChange[]): Promise<void> {
    const store = this.#store
    if (!store) return
    try {
      await store.record(changes)
    } catch (error) {
      throw this.#notWritten('the records of the guests', error)
    }
    this.#written()
    await this.#readAgain(store)
  }

  /**
   * Makes the writes for one guest one after the other. After the last one, memory has what the store has: another
   * process may have written in between.
   */
  async #inTurn(guest: string, write: () => Promise<GuestState | undefined>): Promise<void> {
    const { last, count } = this.#writing.get(guest) ?? { last: undefined, count: 0 }
    const written = last === undefined ? write() : last.then(write, write)
    this.#writing.set(guest, { last: written, count: count + 1 })
    let stored: GuestState | undefined
    try {
      stored = await written
    } finally {
      const left = (this.#writing.get(guest)?.count ?? 1) - 1
      if (left > 0) this.#writing.set(guest, { last: this.#writing.get(guest)?.last ?? written, count: left })
      else this.#writing.delete(guest)
      if (left === 0 && stored && !this.#unwritten.has(guest)) this.#set(guest, stored)
    }
  }

  /**
   * Stores the events of a guest that are in force, in their order. When that fails, mere lines are dropped.
   *
   * @throws Failure `unavailable` while a change of the state is not stored.
   */
  async #catchUp(guest: string): Promise<GuestState | undefined> {
    const waiting = this.#unwritten.get(guest) ?? []
    let stored: GuestState | undefined
    try {
      for (let next = waiting[0]; next; next = waiting[0]) {
        stored = await this.#change(guest, next, false)
        waiting.shift()
      }
    } catch (error) {
      const failure = this.#notWritten(`what happened to ${guest}`, error)
      waiting.splice(0, waiting.length, ...waiting.filter(({ isLine }) => !isLine))
      if (waiting.length > 0) throw failure
    }
    this.#unwritten.delete(guest)
    return stored
  }

  async #storeFirst(guest: string, next: TimedEvent): Promise<GuestState | undefined> {
    await this.#catchUp(guest)
    try {
      return await this.#change(guest, next, true)
    } catch (error) {
      throw this.#notWritten(`the order for ${guest}`, error)
    }
  }

  async #change(
    guest: string,
    { event, atMs }: TimedEvent,
    durableFirst: boolean,
  ): Promise<GuestState | undefined> {
    const stored = await this.#store?.change(guest, (before) => nextState(before, event, atMs), {
      durableFirst,
    })
    this.#written()
    return stored
  }

  async #tryAgain(): Promise<void> {
    const store = this.#store
    if (!store || this.#isTrying) return
    this.#isTrying = true
    await this.#flush()
    if (this.#health.isProbeDue) await this.#probe(store)
    this.#isTrying = false
  }

  async #flush(): Promise<void> {
    for (const guest of this.#unwritten.keys())
      await this.#inTurn(guest, () => this.#catchUp(guest)).catch(() => undefined)
  }

  async #probe(store: Store): Promise<void> {
    try {
      await store.probe()
      this.#written()
    } catch (error) {
      this.#notWritten('a trial', error)
    }
  }

  async #readAgain(store: Store): Promise<void> {
    // Reads once more when one of our own changes was written meanwhile: it may be newer than what was read.
    for (let writesBefore = -1; writesBefore !== this.#writes; ) {
      writesBefore = this.#writes
      const read = new Map(await store.states())
      // Memory is newer for guests with a change that is being written or could not be written.
      for (const guest of [...this.#writing.keys(), ...this.#unwritten.keys()])
        copyEntry(this.#states, read, guest)
      this.#replace(read)
    }
  }

  #set(guest: string, state: GuestState): void {
    this.#states.set(guest, state)
    this.#options.onState(guest, state)
  }

  #replace(states: Map<string, GuestState>): void {
    this.#states = states
    for (const [guest, state] of states) this.#options.onState(guest, state)
  }

  #written(): void {
    this.#writes++
    if (this.#health.written())
      this.#options.events({ type: 'config', outcome: 'loaded', message: 'the store can be written again' })
  }

  /** Logs the first of several failures: a full disk must not fill the log, too. */
  #notWritten(what: string, error: unknown): Failure {
    const message = failureMessage(error)
    if (this.#health.failed(message)) this.#trouble(`${what} cannot be stored`, error)
    return new Failure('unavailable', `${what} cannot be stored now (${message}); try again`, {
      cause: error,
    })
  }

  #trouble(where: string, error: unknown): void {
    this.#options.events({ type: 'trouble', where, message: failureMessage(error) })
  }
}

function copyEntry<T>(from: ReadonlyMap<string, T>, to: Map<string, T>, key: string): void {
  const value = from.get(key)
  if (value !== undefined) to.set(key, value)
}
