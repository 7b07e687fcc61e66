/** In milliseconds: NTP corrects less than this at a time by a slower or faster clock, and not by a step. */
const leastStepMs = 500

export interface Clocks {
  /** Milliseconds since 1970. It is set forwards and backwards. */
  readonly now: () => number
  /** Milliseconds since some moment. It is never set. */
  readonly up: () => number
}

/**
 * The time of day that goes on as if nobody set the clock, until `takeStep` is called: what happened before and after a step
 * can be told apart, and has a true distance. A machine that slept has made a step, too.
 */
export class SteadyClock {
  readonly #clocks: Clocks
  #ahead: number
  /** Steps that nobody has taken yet. */
  #stepMs = 0
  #lastMs = Number.NEGATIVE_INFINITY

  constructor(clocks: Clocks) {
    this.#clocks = clocks
    this.#ahead = clocks.now() - clocks.up()
  }

  /** Milliseconds since 1970. Never less than before, unless a step was taken in between. */
  now(): number {
    const nowMs = this.#clocks.now()
    const ahead = nowMs - this.#clocks.up()
    if (Math.abs(ahead - this.#ahead) >= leastStepMs) this.#stepMs += ahead - this.#ahead
    this.#ahead = ahead
    this.#lastMs = Math.max(this.#lastMs, nowMs - this.#stepMs)
    return this.#lastMs
  }

  /** By how much the clock was set. From now on `now` follows it, and what it said before has moved by so much. */
  takeStep(): number {
    this.now()
    const stepMs = this.#stepMs
    this.#stepMs = 0
    this.#lastMs += stepMs
    return stepMs
  }
}
