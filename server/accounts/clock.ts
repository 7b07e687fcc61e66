/** The two clocks of a process, which tests replace. */
export interface Clock {
  /** Milliseconds since 1970. It is set forwards and backwards, and goes on while the process does not run. */
  readonly now: () => number
  /** Milliseconds since some moment. It never goes backwards. */
  readonly up: () => number
}

export const systemClock: Clock = { now: Date.now, up: () => performance.now() }

/** A moment that lies further in the future than this was written by a clock that was wrong. */
const mostAhead = 60_000

interface Mark {
  readonly sinceMs: number
  readonly learnedUp: number
  readonly learnedAge: number
}

/**
 * How old things are, by whichever clock says more: a clock that is set back makes nothing younger. What begins in the
 * future is older than everything.
 */
export class Ages {
  readonly #clock: Clock
  readonly #marks = new Map<string, Mark>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds since `sinceMs`. The first call for this moment tells it apart from later steps of the clock. */
  age(key: string, sinceMs: number): number {
    const [nowMs, up] = [this.#clock.now(), this.#clock.up()]
    let mark = this.#marks.get(key)
    if (mark?.sinceMs !== sinceMs) {
      const age = nowMs - sinceMs
      const learnedAge = age < -mostAhead ? Number.POSITIVE_INFINITY : Math.max(0, age)
      mark = { sinceMs, learnedUp: up, learnedAge }
      this.#marks.set(key, mark)
    }
    return Math.max(nowMs - sinceMs, mark.learnedAge + up - mark.learnedUp)
  }

  /** Forgets all keys but these. */
  keepOnly(isKept: (key: string) => boolean): void {
    for (const key of this.#marks.keys()) if (!isKept(key)) this.#marks.delete(key)
  }
}
