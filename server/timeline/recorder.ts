import { starredParts } from '../core/access/starred.ts'
import { type Boot, machineName } from '../core/boots/boot.ts'
import { type BootEvent, changeOf, onlyLogs } from '../core/boots/boot-event.ts'
import type { Comparison } from '../core/boots/compare.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { EventSink } from '../events/bus.ts'
import type { BootStore } from '../store/boots.ts'
import { type BootFilter, type Boots, comparison, listBoots, readBoot } from './boots.ts'
import { EventQueue, noteIn, type Star, shiftedWaiting, type Waiting } from './event-queue.ts'
import { EventRing } from './event-ring.ts'
import { LostEvents } from './lost-events.ts'
import { OpenBoots } from './open-boots.ts'
import { SteadyClock } from './steady-clock.ts'

export interface RecorderOptions {
  /** `boots.keep`, in milliseconds. */
  readonly keepMs: () => number
  /** Replaces the secrets in what a machine logged. Default: what its form alone says to be one. */
  readonly star?: Star
  /** What cannot be written, or was lost. */
  readonly onTrouble: (error: unknown) => void
  /** Milliseconds since 1970. */
  readonly clock?: () => number
  /** Milliseconds by a clock that nobody sets. Default beside `clock`: nobody sets that one either. */
  readonly up?: () => number
  /** For tests: how many events wait at most, and how many boots are open. */
  readonly mostWaiting?: number
  readonly mostOpen?: number
}

/** Events that wait. Beyond that, events are lost: a transfer never waits for them. */
const defaultMostWaiting = 4096
/** How long an event waits, so that many of them cost one turn of the event loop. */
const gatherMs = 250
/** After so many events the event loop gets a turn. */
const perTurn = 200
const lookEveryMs = 2000
const writeEveryMs = 1000
const pruneEveryMs = 3_600_000
/** New boots after which the bounds of the store are looked at early. */
const pruneAfterBoots = 2000
/** Boots that wait to be written while the store cannot be written. */
const mostUnwritten = 4000
/** Of so many boots it is learned at the start how slow their machines are. */
const learnedBoots = 2000
/**
 * Of machines that are no guests, so many boots are written at once, and so many events are told at once. Anybody can send
 * packets in the name of thousands of machines; that costs neither the disk its time nor clients the events of guests.
 */
const strangersAtOnce = 100

/**
 * Makes boots of the events of the bus and keeps them in the store. On the way of a transfer there is one push to a list;
 * everything else happens later, in pieces.
 */
export class BootRecorder implements Boots {
  readonly #options: RecorderOptions
  readonly #steady: SteadyClock
  readonly #clock: () => number
  readonly #queue: EventQueue
  #gathering: NodeJS.Timeout | undefined
  #draining: Promise<void> | undefined
  #unkept = 0
  readonly #losses: LostEvents

  #store: BootStore | undefined
  #open: OpenBoots | undefined
  /** By id: what changed since the last event of each boot. */
  readonly #changed = new Map<number, Boot>()
  /** By id: the picture that the last event left. Only open boots. */
  readonly #shown = new Map<number, Boot>()
  readonly #unwritten = new Map<number, Boot>()
  #removed: number[] = []
  #newEvents: BootEvent[] = []
  #ring = new EventRing([], 0)
  readonly #listeners = new Set<(event: BootEvent) => void>()
  #timers: NodeJS.Timeout[] = []
  #newBoots = 0
  #newestBoot = 0
  #writing: Promise<void> | undefined

  constructor(options: RecorderOptions) {
    this.#options = options
    const { clock, up = clock ?? (() => performance.now()) } = options
    this.#steady = new SteadyClock({ now: clock ?? Date.now, up })
    this.#clock = () => this.#steady.now()
    this.#queue = new EventQueue(options.mostWaiting ?? defaultMostWaiting)
    this.#losses = new LostEvents(options.onTrouble)
  }

  /** Whether a boot that may still go on is known at this address. */
  knowsAddress(address: string): boolean {
    return this.#open?.knowsAddress(address) ?? false
  }

  /** Takes events from the bus. */
  readonly sink: EventSink = (event) => {
    if (this.#queue.push(event, this.#clock()))
      this.#gathering ??= setTimeout(() => void this.#drain(), gatherMs).unref()
  }

  /** Reads what was open when the server stopped. Events that came before wait until then. */
  async open(store: BootStore): Promise<void> {
    const last = await store.last()
    const { mostOpen } = this.#options
    this.#newestBoot = last.boot
    this.#open = new OpenBoots({
      nextId: last.boot + 1,
      onChange: (boot) => this.#changed.set(boot.id, boot),
      onRemove: (id) => this.#remove(id),
      ...(mostOpen !== undefined && { most: mostOpen }),
    })
    for (const boot of (await store.list({ limit: learnedBoots })).toReversed()) this.#open.learn(boot)
    for (const boot of await store.open()) {
      this.#shown.set(boot.id, boot)
      this.#open.restore(boot, this.#clock())
    }
    this.#ring = await EventRing.read(store, last.event)
    this.#store = store
    await this.#prune()
    this.#timers = [
      setInterval(() => this.#look(), lookEveryMs).unref(),
      setInterval(() => void this.flush(), writeEveryMs).unref(),
      setInterval(() => void this.#prune(), pruneEveryMs).unref(),
    ]
  }

  /** Writes what waits. The store stays open. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    clearTimeout(this.#gathering)
    let before = Number.POSITIVE_INFINITY
    await this.#drain()
    this.#publish('all')
    await this.flush()
    while (this.#unwritten.size > 0 && this.#unwritten.size < before) {
      before = this.#unwritten.size
      await this.flush()
    }
    this.#store = undefined
  }

  get lost(): number {
    return this.#queue.lost + this.#unkept
  }

  problems(): readonly SnapshotProblem[] {
    return this.#losses.problems(this.#clock())
  }

  get newestEvent(): number {
    return this.#ring.newest
  }

  async list(filter: BootFilter): Promise<readonly Boot[]> {
    await this.flush()
    return this.#store ? listBoots(this.#store, filter, this.#clock()) : []
  }

  async count(filter: Pick<BootFilter, 'guest' | 'state' | 'since'>): Promise<number> {
    return (await this.#store?.count(filter)) ?? 0
  }

  async read(id: number): Promise<Boot | undefined> {
    await this.flush()
    return this.#store && readBoot(this.#store, id, this.#clock())
  }

  async compare(boot: Boot): Promise<Comparison | undefined> {
    return this.#store && comparison(this.#store, boot, this.#clock())
  }

  subscribe(listener: (event: BootEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  eventsAfter(seq: number): readonly BootEvent[] | undefined {
    return this.#ring.after(seq)
  }

  async eventsSince(atMs: number): Promise<readonly BootEvent[]> {
    await this.flush()
    return this.#ring.since(atMs)
  }

  /** Handles all that waits, and writes it. Never rejects: a boot must not stop for its timeline. */
  async flush(): Promise<void> {
    await this.#drain()
    // A piece that was being handled already did not have the newest.
    if (!this.#queue.isEmpty) await this.#drain()
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
    await this.#writing
  }

  #drain(): Promise<void> {
    this.#draining ??= this.#handle().finally(() => {
      this.#draining = undefined
    })
    return this.#draining
  }

  async #handle(): Promise<void> {
    clearTimeout(this.#gathering)
    this.#gathering = undefined
    const open = this.#open
    if (!open) return
    for (const [n, waiting] of this.#takeWaiting(open).entries()) {
      if (n % perTurn === perTurn - 1) await new Promise((resolve) => setImmediate(resolve))
      noteIn(open, waiting, this.#options.star ?? ((_guest, text) => starredParts(text)))
    }
    this.#publish()
    this.#losses.note(this.lost, this.#clock())
    this.#losses.tellNew(this.#clock())
  }

  /** What waits and what is open were timed by the clock as it was before it was set. */
  #takeWaiting(open: OpenBoots): readonly Waiting[] {
    const waiting = this.#queue.take()
    const stepMs = this.#steady.takeStep()
    if (stepMs === 0) return waiting
    open.shift(stepMs)
    this.#losses.shift(stepMs)
    return waiting.map((each) => shiftedWaiting(each, stepMs))
  }

  #look(): void {
    this.#open?.look(this.#clock())
    this.#publish('all')
    this.#losses.note(this.lost, this.#clock())
  }

  /** Makes one event of all that changed in a boot. What its installer logs waits for `all`. */
  #publish(which?: 'all'): void {
    let strangers = 0
    for (const boot of this.#changed.values()) {
      if (boot.id > this.#newestBoot) {
        this.#newestBoot = boot.id
        this.#newBoots++
      }
      this.#keep(boot)
      if (which !== 'all' && onlyLogs(this.#shown.get(boot.id), boot)) continue
      this.#changed.delete(boot.id)
      const event = changeOf(this.#shown.get(boot.id), boot, { seq: this.#ring.next, atMs: this.#clock() })
      if (boot.endMs === undefined) this.#shown.set(boot.id, boot)
      else this.#shown.delete(boot.id)
      if (event && (boot.guest !== undefined || strangers++ < strangersAtOnce)) this.#tell(event)
    }
  }

  #tell(event: BootEvent): void {
    this.#ring.add(event)
    this.#newEvents.push(event)
    if (this.#newEvents.length > mostUnwritten) this.#newEvents.shift()
    for (const listener of this.#listeners) {
      try {
        listener(event)
      } catch {
        // A fault of a listener must not cost the others their event.
      }
    }
  }

  #keep(boot: Boot): void {
    this.#unwritten.delete(boot.id)
    this.#unwritten.set(boot.id, boot)
    if (this.#unwritten.size <= mostUnwritten) return
    for (const { id, guest } of this.#unwritten.values()) {
      if (guest !== undefined) continue
      this.#unwritten.delete(id)
      this.#unkept++
      return
    }
    const [oldest = 0] = this.#unwritten.keys()
    this.#unwritten.delete(oldest)
    this.#unkept++
  }

  #remove(id: number): void {
    const shown = this.#shown.get(id)
    for (const boots of [this.#changed, this.#shown, this.#unwritten]) boots.delete(id)
    if (shown) {
      const at = { seq: this.#ring.next, atMs: this.#clock() }
      this.#tell({
        ...at,
        boot: id,
        machine: machineName(shown),
        state: shown.state,
        steps: [],
        removed: true,
      })
    }
    this.#removed.push(id)
  }

  async #write(): Promise<void> {
    const store = this.#store
    const [boots, removed, events] = [this.#nextToWrite(), this.#removed, this.#newEvents]
    if (!store || boots.length + removed.length + events.length === 0) return
    for (const { id } of boots) this.#unwritten.delete(id)
    this.#removed = []
    this.#newEvents = []
    try {
      await store.write({ boots, removed, events })
      if (this.#newBoots > pruneAfterBoots) await this.#prune()
    } catch (error) {
      for (const boot of boots) if (!this.#unwritten.has(boot.id)) this.#keep(boot)
      this.#removed = [...removed, ...this.#removed].slice(-mostUnwritten)
      this.#newEvents = [...events, ...this.#newEvents].slice(-mostUnwritten)
      this.#trouble(error)
    }
  }

  /** All boots of guests, and the newest of other machines. */
  #nextToWrite(): readonly Boot[] {
    const waiting = [...this.#unwritten.values()]
    const strangers = waiting.filter(({ guest }) => guest === undefined).slice(-strangersAtOnce)
    return [...waiting.filter(({ guest }) => guest !== undefined), ...strangers]
  }

  async #prune(): Promise<void> {
    this.#newBoots = 0
    try {
      await this.#store?.prune(this.#clock() - this.#options.keepMs())
    } catch (error) {
      this.#trouble(error)
    }
  }

  #trouble(error: unknown): void {
    this.#losses.note(this.lost, this.#clock())
    this.#losses.trouble(error, this.#clock())
  }
}
