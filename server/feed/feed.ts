import { randomBytes } from 'node:crypto'
import { starredParts } from '../core/access/starred.ts'
import type { BootEvent } from '../core/boots/boot-event.ts'
import { defined } from '../core/defined.ts'
import type { FeedType } from '../core/feed-types.ts'
import type { GuestState } from '../core/guest/state.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { Event, EventSink } from '../events/bus.ts'
import type { Boots } from '../timeline/boots.ts'
import type { FeedEvent, News } from './news.ts'
import { FeedRing } from './ring.ts'

type BootTestEvent = Extract<Event, { readonly type: 'boot-test' }>

export interface FeedParts {
  readonly boots: Pick<Boots, 'subscribe' | 'eventsAfter' | 'newestEvent'>
  /** Calls the listener with the name of each guest whose state is another object now. */
  readonly onGuest: (listener: (guest: string) => void) => void
  /** Of a guest of the configuration; undefined for any other name. */
  readonly stateOf: (guest: string) => GuestState | undefined
  readonly guests: () => Iterable<string>
  /** Reads what other processes wrote of guests. */
  readonly fresh: () => Promise<void>
  readonly problems: () => readonly SnapshotProblem[]
  /** Shortens the paths of this machine in texts, as the configuration has them now. */
  readonly shortener: () => Promise<(text: string) => string>
  /** Milliseconds since 1970. */
  readonly clock?: () => number
  /** How often it looks, while somebody listens, at what nobody tells it. */
  readonly lookEveryMs?: number
}

/** Where the configuration in force comes from. Each part is another object when it has changed. */
export interface ConfigSource {
  readonly snapshot: {
    readonly generation: number
    readonly config: object
    readonly guests: object
    readonly profiles: object
  }
  onChange(listener: () => void): () => void
}

const usualLookEveryMs = 2000
const mostLines = 50
const longestLine = 500
/** Names a run of the server that has ended. */
const earlierRun = '00000000'

/**
 * What happens in the server as one numbered stream, for people and programs: boots, guests, trees, publishing,
 * configuration and problems. It keeps the newest events, so that a client that was away for a moment misses nothing.
 */
export class Feed {
  readonly #parts: FeedParts
  readonly #clock: () => number
  readonly #run = randomBytes(4).toString('hex')
  readonly #ring = new FeedRing()
  readonly #listeners = new Set<() => void>()
  /** By guest: what was last said of it. */
  #said = new Map<string, string>()
  #knownProblems: ReadonlySet<string> | undefined
  #shorten = (text: string): string => text
  #source: ConfigSource | undefined
  #endFollowing = (): void => {}
  #timer: NodeJS.Timeout | undefined

  constructor(parts: FeedParts) {
    this.#parts = parts
    this.#clock = parts.clock ?? Date.now
    parts.boots.subscribe((event) => this.#add({ type: 'boots', event }, event.guest))
    parts.onGuest((guest) => {
      if (this.#source) this.#lookAt(guest)
    })
  }

  /** Call it when guests and boots are read: what is known then is no news. */
  async open(source: ConfigSource): Promise<void> {
    const { guests, stateOf, shortener } = this.#parts
    this.#shorten = await shortener()
    for (const guest of guests()) this.#said.set(guest, sayingOf(stateOf(guest)))
    this.#source = source
    let before = source.snapshot
    this.#endFollowing = source.onChange(() => {
      const now = source.snapshot
      const isSame =
        now.config === before.config && now.guests === before.guests && now.profiles === before.profiles
      before = now
      if (!isSame) this.#configured()
    })
  }

  close(): void {
    this.#endFollowing()
    this.#source = undefined
    clearInterval(this.#timer)
  }

  /** Takes events from the bus. */
  readonly sink: EventSink = (event) => {
    if (event.type === 'tree') {
      const { id: tree, state, reasons } = event
      this.#add({ type: 'trees', tree, state, reasons: this.#shown(reasons) })
    } else if (event.type === 'boot-test') this.#bootTest(event)
    else if (event.type === 'publish') {
      const { id: tree, outcome, lines } = event
      this.#add({ type: 'publish', tree, outcome, lines: this.#shown(lines) })
    } else if (event.type === 'config' && event.outcome === 'kept-last-good' && this.#source)
      this.#add({ type: 'config', state: 'refused', generation: this.#source.snapshot.generation })
  }

  #bootTest({ tree, state, place, waiting, why, firmware, results }: BootTestEvent): void {
    const short = (text?: string): string | null =>
      text === undefined ? null : (this.#shown([text])[0] ?? '')
    this.#add({
      type: 'boot-tests',
      tree,
      state,
      place: place ?? null,
      waiting: waiting ?? null,
      why: short(why),
      firmware,
      results: results.map((each) => ({
        firmware: each.firmware,
        outcome: each.outcome,
        why: short(each.why),
      })),
    })
  }

  #configured(): void {
    this.#add({ type: 'config', state: 'ok', generation: this.#source?.snapshot.generation ?? 0 })
    const { guests, shortener } = this.#parts
    void shortener().then((shorten) => {
      this.#shorten = shorten
    })
    const names = new Set(guests())
    for (const guest of this.#said.keys()) if (!names.has(guest)) this.#said.delete(guest)
    for (const guest of names) this.#lookAt(guest)
  }

  /** Calls the listener when there is something new. Returns the function that ends that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    this.#timer ??= setInterval(() => void this.#look(), this.#parts.lookEveryMs ?? usualLookEveryMs).unref()
    this.#knownProblems ??= this.#problemsNow()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
      this.#knownProblems = undefined
    }
  }

  /** The number of the newest event. */
  get newest(): number {
    return this.#ring.newest
  }

  /** See `FeedRing.at`. */
  at(n: number): FeedEvent | undefined {
    return this.#ring.at(n)
  }

  /** The `Last-Event-ID` of who has seen everything up to this number. */
  idAt(n: number): string {
    return this.#ring.at(n)?.id ?? this.#idOf(n, this.#parts.boots.newestEvent)
  }

  /**
   * Where a client goes on that was away: the number of the last event that it knows, and events of an earlier run that it
   * has to get before. Undefined when nobody knows what it missed: it must read everything anew. Only the events of boots
   * outlive a restart of the server.
   *
   * @param id `Last-Event-ID`.
   */
  resume(id: string, types: ReadonlySet<FeedType>): ResumedFeed | undefined {
    const [, n = '', run = '', boots = ''] = /^(\d{1,15})-([0-9a-f]{8})-(\d{1,15})$/.exec(id) ?? []
    if (run === this.#run)
      return this.#ring.hasAfter(Number(n)) ? { after: Number(n), before: [] } : undefined
    if (run === '' || types.size !== 1 || !types.has('boots')) return undefined
    const missed = this.#parts.boots.eventsAfter(Number(boots))
    return missed && { after: this.newest, before: missed.map(ofEarlierRun) }
  }

  #idOf(n: number, boots: number): string {
    return `${n}-${this.#run}-${boots}`
  }

  #add(news: News, guest?: string): void {
    const n = this.#ring.newest + 1
    const boots = news.type === 'boots' ? news.event.seq : this.#parts.boots.newestEvent
    this.#ring.add({ n, id: this.#idOf(n, boots), atMs: this.#clock(), news, ...defined({ guest }) })
    for (const listener of this.#listeners) listener()
  }

  #lookAt(guest: string): void {
    const state = this.#parts.stateOf(guest)
    const saying = sayingOf(state)
    if (!state || this.#said.get(guest) === saying) return
    this.#said.set(guest, saying)
    this.#add({ type: 'guests', guest, state }, guest)
  }

  async #look(): Promise<void> {
    await this.#parts.fresh()
    const known = this.#knownProblems
    if (!known) return
    const now = this.#problemsNow()
    if (now.size === known.size && [...now].every((each) => known.has(each))) return
    this.#knownProblems = now
    const read = (texts: readonly string[]) => texts.map((text) => JSON.parse(text) as SnapshotProblem)
    const errors = read([...now]).filter(({ severity }) => severity === 'error').length
    const added = read([...now].filter((text) => !known.has(text)).slice(0, mostLines))
    this.#add({ type: 'problems', errors, warnings: now.size - errors, added })
  }

  #problemsNow(): ReadonlySet<string> {
    return new Set(
      this.#parts.problems().map(({ severity, where, message, remedy }) =>
        JSON.stringify({
          severity,
          where: this.#line(where),
          message: this.#line(message),
          ...(remedy !== undefined && { remedy: this.#line(remedy) }),
        }),
      ),
    )
  }

  #shown(lines: readonly string[]): readonly string[] {
    return lines.slice(0, mostLines).map((text) => this.#line(text))
  }

  #line(text: string): string {
    return starredParts(this.#shorten(text)).slice(0, longestLine)
  }
}

export interface ResumedFeed {
  readonly after: number
  readonly before: readonly FeedEvent[]
}

function ofEarlierRun(event: BootEvent): FeedEvent {
  const { seq, atMs, guest } = event
  return { n: 0, id: `0-${earlierRun}-${seq}`, atMs, news: { type: 'boots', event }, ...defined({ guest }) }
}

/** What of a state is shown. Offers change it many times in a boot, and are in the boot's steps. */
function sayingOf(state: GuestState | undefined): string {
  if (!state) return ''
  return JSON.stringify([state.state, state.install, state.sinceMs, state.failure, state.hold])
}
