import type { BootEvent } from '../core/boots/boot-event.ts'
import { type BootStore, bootEventsKept } from '../store/boots.ts'

/**
 * How far the numbers jump at a start. A crash may have lost events that clients had already got: their numbers must not be
 * given again.
 */
const jump = 20_000

/** The newest events, with numbers that only grow. */
export class EventRing {
  readonly #events: BootEvent[]
  /** Of this and earlier events nobody knows whether others came between. */
  #gapBefore: number
  #newest: number

  /** @param newest The highest number that was ever given. */
  constructor(events: readonly BootEvent[], newest: number) {
    this.#events = [...events]
    this.#newest = newest
    this.#gapBefore = (events[0]?.seq ?? newest + 1) - 1
  }

  static async read(store: BootStore, last: number): Promise<EventRing> {
    const events = await store.eventsAfter(0, bootEventsKept)
    return new EventRing(events, last === 0 ? 0 : last + jump)
  }

  get newest(): number {
    return this.#newest
  }

  /** The number of the next event. */
  get next(): number {
    return this.#newest + 1
  }

  /** Those that are kept and happened at this time or later, oldest first. */
  since(atMs: number): readonly BootEvent[] {
    const at = this.#events.findIndex((event) => event.atMs >= atMs)
    return at < 0 ? [] : this.#events.slice(at)
  }

  add(event: BootEvent): void {
    this.#events.push(event)
    this.#newest = event.seq
    if (this.#events.length < 2 * bootEventsKept) return
    // In one piece: moving ten thousand places for each event would be felt.
    const dropped = this.#events.splice(0, this.#events.length - bootEventsKept)
    this.#gapBefore = dropped.at(-1)?.seq ?? this.#gapBefore
  }

  /** Undefined when events after this number are not known any more, or the number was never given. */
  after(seq: number): readonly BootEvent[] | undefined {
    if (seq === this.#newest) return []
    const later = this.#events.findIndex((event) => event.seq > seq)
    // After a start the newest number is higher than that of the last event.
    const at = later < 0 ? this.#events.length : later
    const isKnown = seq === this.#gapBefore || this.#events[at - 1]?.seq === seq
    return seq >= this.#gapBefore && isKnown ? this.#events.slice(at) : undefined
  }
}
