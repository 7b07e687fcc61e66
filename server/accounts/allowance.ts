/** How many lines strangers may cause: so many at once, and then one in so many milliseconds. */
const atOnce = 20
const everyMs = 60_000

/** Lets through what strangers cause, up to a rate. What is beyond is counted. */
export class Allowance {
  readonly #up: () => number
  #left = atOnce
  #filledUp: number
  #missed = 0

  /** @param up Milliseconds, by a clock that is never set. */
  constructor(up: () => number) {
    this.#up = up
    this.#filledUp = up()
  }

  /** Undefined: not now. Otherwise how many were not let through since the last one. */
  take(): { readonly missed: number } | undefined {
    const earned = Math.floor((this.#up() - this.#filledUp) / everyMs)
    this.#left = Math.min(atOnce, this.#left + earned)
    this.#filledUp += earned * everyMs
    if (this.#left <= 0) {
      this.#missed++
      return undefined
    }
    this.#left--
    const missed = this.#missed
    this.#missed = 0
    return { missed }
  }
}
