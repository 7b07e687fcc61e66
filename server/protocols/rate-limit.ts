/**
 * At most `max` events in any window of `windowMs`. A flood of packets must not fill the log or be answered
 * with a flood.
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

  /** Counts an event, if there is room for it. A refused event is not counted. */
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
