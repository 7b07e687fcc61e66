import type { LogFact, PackagesFact } from '../core/boots/facts.ts'
import { type LogWords, withLine } from '../core/boots/log-line.ts'
import { isPackage } from '../core/boots/roles.ts'
import type { Event } from '../events/bus.ts'
import { concernsBoots, factOf, mayBegin } from './facts.ts'
import type { OpenBoots } from './open-boots.ts'

type Served = Extract<Event, { type: 'served' }>
type Syslog = Extract<Event, { type: 'syslog' }>

/** Packages that one client fetched since the queue was emptied. */
export interface PackageCount {
  readonly client: string
  readonly startMs: number
  endMs: number
  count: number
  bytes: number
  path: string
}

/** What one client logged since the queue was emptied. */
export interface LoggedLines {
  readonly client: string
  readonly startMs: number
  endMs: number
  count: number
  log: LogWords
}

export type Waiting =
  | { readonly event: Event; readonly atMs: number }
  | { readonly packages: PackageCount }
  | { readonly lines: LoggedLines }

/** The same, when the clock was set by so many milliseconds since it was queued. */
export function shiftedWaiting(waiting: Waiting, byMs: number): Waiting {
  const moved = <T extends { readonly startMs: number; readonly endMs: number }>(span: T): T => ({
    ...span,
    startMs: span.startMs + byMs,
    endMs: span.endMs + byMs,
  })
  if ('event' in waiting) return { ...waiting, atMs: waiting.atMs + byMs }
  return 'packages' in waiting ? { packages: moved(waiting.packages) } : { lines: moved(waiting.lines) }
}

/** Replaces the secrets in what a machine logged. */
export type Star = (guest: string | undefined, text: string) => string

/** Clients whose lines wait, each with at most three of them. Lines of more are lost, and no event of another kind is. */
const mostLogs = 512

/**
 * Events until they are handled: the only part of timelines on the way of a transfer. An installation fetches thousands of
 * packages and logs as many lines, and a mirror's clients more, so both are counted at once and hold no event.
 */
export class EventQueue {
  readonly #most: number
  #waiting: Waiting[] = []
  readonly #packages = new Map<string, PackageCount>()
  readonly #lines = new Map<string, LoggedLines>()
  #lost = 0

  /** @param most How many may wait. More are lost. */
  constructor(most: number) {
    this.#most = most
  }

  /** How many events were lost in all. */
  get lost(): number {
    return this.#lost
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** True when something waits now that did not. */
  push(event: Event, atMs: number): boolean {
    if (!concernsBoots(event)) return false
    if (event.type === 'served' && isWholePackage(event)) return this.#count(event, atMs)
    if (event.type === 'syslog') return this.#log(event, atMs)
    return this.#add({ event, atMs })
  }

  /** Empties the queue. */
  take(): readonly Waiting[] {
    const waiting = this.#waiting
    this.#waiting = []
    this.#packages.clear()
    this.#lines.clear()
    return waiting
  }

  #count({ client, path, bytes, ms }: Served, atMs: number): boolean {
    const known = this.#packages.get(client)
    if (known) {
      known.endMs = atMs
      known.count++
      known.bytes += bytes
      known.path = path
      return false
    }
    const packages = { client, startMs: atMs - ms, endMs: atMs, count: 1, bytes, path }
    if (!this.#add({ packages })) return false
    this.#packages.set(client, packages)
    return true
  }

  #log({ client, ...line }: Syslog, atMs: number): boolean {
    const known = this.#lines.get(client)
    if (known) {
      known.endMs = atMs
      known.count++
      known.log = withLine(known.log, line)
      return false
    }
    if (this.#lines.size >= mostLogs) {
      this.#lost++
      return false
    }
    const lines = { client, startMs: atMs, endMs: atMs, count: 1, log: withLine(undefined, line) }
    if (!this.#add({ lines })) return false
    this.#lines.set(client, lines)
    return true
  }

  #add(waiting: Waiting): boolean {
    if (this.#waiting.length >= this.#most) {
      this.#lost++
      return false
    }
    this.#waiting.push(waiting)
    return true
  }
}

function isWholePackage({ outcome, question, bytes, path }: Served): boolean {
  return outcome === 'complete' && question === undefined && bytes > 0 && isPackage(path)
}

function packagesFact({ client, path, count, bytes, startMs, endMs }: PackageCount): PackagesFact {
  return { kind: 'packages', who: { macs: [], address: client }, path, count, bytes, ms: endMs - startMs }
}

/** @param star Replaces the secrets in a text. The words are whole here: half of a secret would not be known as one. */
export function logFact(
  { client, startMs, endMs, count, log }: LoggedLines,
  star: (text: string) => string,
): LogFact {
  const { words, stage, fault } = log
  const starred = {
    words: star(words),
    ...(stage !== undefined && { stage: star(stage) }),
    ...(fault !== undefined && { fault: star(fault) }),
  }
  return { kind: 'log', who: { macs: [], address: client }, count, ms: endMs - startMs, log: starred }
}

/** Adds what waited to the boot that it concerns. */
export function noteIn(open: OpenBoots, waiting: Waiting, star: Star): void {
  if ('lines' in waiting) {
    const { client, endMs } = waiting.lines
    if (!open.knowsAddress(client)) return
    const guest = open.guestAt(client)
    open.note(
      logFact(waiting.lines, (text) => star(guest, text)),
      endMs,
    )
    return
  }
  if ('packages' in waiting) {
    const { client, endMs } = waiting.packages
    if (open.knowsAddress(client)) open.note(packagesFact(waiting.packages), endMs)
    return
  }
  const { event, atMs } = waiting
  const isNews = ('client' in event && open.knowsAddress(event.client)) || mayBegin(event)
  const fact = isNews ? factOf(event) : undefined
  if (fact) open.note(fact, atMs)
}
