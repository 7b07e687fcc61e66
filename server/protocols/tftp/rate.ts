/** At most `count` in any `perMs`: keeps a flood of junk out of the log. */
export class RateLimit {
  readonly #count: number
  readonly #perMs: number
  #since = Number.NEGATIVE_INFINITY
  #used = 0

  constructor(count: number, perMs: number) {
    this.#count = count
    this.#perMs = perMs
  }

  admit(nowMs: number): boolean {
    if (nowMs - this.#since >= this.#perMs) {
      this.#since = nowMs
      this.#used = 0
    }
    return ++this.#used <= this.#count
  }
}
