/**
 * Admits at most `max` events in each window of `windowMs`; a window begins with its first event. A flood of
 * packets must not fill the log, or cause a flood of replies.
 */
export class RateLimit {
  readonly #max: number
  readonly #windowMs: number
  #windowStartMs = Number.NEGATIVE_INFINITY
  #count = 0

  constructor(max: number, windowMs: number) {
    this.#max = max
    this.#windowMs = windowMs
  }

  /** Whether `admit` would admit an event now. Counts nothing. */
  hasRoom(nowMs: number): boolean {
    return this.#max > 0 && (this.#windowIsOver(nowMs) || this.#count < this.#max)
  }

  /** Whether the event is within the limit. Counts it only then. */
  admit(nowMs: number): boolean {
    if (!this.hasRoom(nowMs)) return false
    if (this.#windowIsOver(nowMs)) {
      this.#windowStartMs = nowMs
      this.#count = 0
    }
    this.#count++
    return true
  }

  #windowIsOver(nowMs: number): boolean {
    return nowMs - this.#windowStartMs >= this.#windowMs
  }
}
