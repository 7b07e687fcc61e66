import type { FeedEvent } from './news.ts'

/** So many of the newest events are kept, and up to twice as many for a moment. */
export const feedKept = 10_000

/** The newest events of this run of the server, numbered from 1 without gaps. */
export class FeedRing {
  #events: FeedEvent[] = []
  #newest = 0

  get newest(): number {
    return this.#newest
  }

  add(event: FeedEvent): void {
    this.#events.push(event)
    this.#newest = event.n
    if (this.#events.length >= 2 * feedKept) this.#events = this.#events.slice(-feedKept)
  }

  /** The event with this number; undefined when it is not kept any more, or has not come yet. */
  at(n: number): FeedEvent | undefined {
    return this.#events[n - this.#first]
  }

  /** Whether all events after this number are kept. */
  hasAfter(n: number): boolean {
    return n <= this.#newest && n >= this.#first - 1
  }

  get #first(): number {
    return this.#newest - this.#events.length + 1
  }
}
