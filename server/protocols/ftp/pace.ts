/** A bucket that holds one second's worth of turns and fills as time goes by. Who comes too fast waits. */
export class Pace {
  readonly #perSecond: number
  readonly #now: () => number
  #left: number
  #countedMs: number

  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond
    this.#now = now
    this.#left = perSecond
    this.#countedMs = now()
  }

  /** Resolves when it is the caller's turn. */
  async turn(): Promise<void> {
    const waitMs = this.take()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs).unref())
  }

  /** Takes a turn and tells how long to wait for it. */
  take(): number {
    const nowMs = this.#now()
    this.#left = Math.min(this.#perSecond, this.#left + ((nowMs - this.#countedMs) / 1000) * this.#perSecond)
    this.#countedMs = nowMs
    this.#left--
    return this.#left >= 0 ? 0 : Math.ceil((-this.#left / this.#perSecond) * 1000)
  }
}
