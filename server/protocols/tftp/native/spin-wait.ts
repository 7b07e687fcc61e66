/** Somewhat more than an ACK takes on this machine or on a fast network; going to sleep and waking up costs as much. */
const spinMs = 0.06
/** So many ACKs must have come in time before we wait for the next one awake, and so many late ones end that. */
const trust = 8
/** Every so many sleeps it is tried again: a transfer to a near client may have begun. */
const tryAgain = 64

/**
 * Whether to wait for the next ACK awake. With one block at a time a transfer is a row of round trips, and where these are
 * short, most of each is the kernel putting us to sleep and waking us. Where they are longer, waiting awake only burns a
 * core; so it is done as long as it mostly succeeds, and never on a machine with one core, which the client may need.
 */
export class Patience {
  readonly #allowed: boolean
  #level = trust
  #sleeps = 0

  constructor(cores: number) {
    this.#allowed = cores > 1
  }

  /**
   * @param look Asks without waiting; how many sockets are ready.
   * @returns 0 when it is time to sleep.
   */
  wait(look: () => number): number {
    const count = look()
    if (count > 0 || !this.#allowed) return count
    if (this.#level === 0 && ++this.#sleeps % tryAgain !== 0) return 0
    const untilMs = performance.now() + spinMs
    do {
      const found = look()
      if (found > 0) {
        this.#level = Math.min(trust, this.#level + 1)
        return found
      }
    } while (performance.now() < untilMs)
    this.#level = Math.max(0, this.#level - 1)
    return 0
  }
}
