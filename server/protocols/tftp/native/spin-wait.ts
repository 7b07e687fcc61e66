/**
 * How long to spin: a little more than an ACK takes on this machine or on a fast network. Going to sleep and
 * waking up costs as much.
 */
const spinMs = 0.06
/**
 * After this many ACKs that came late in a row, spinning stops; each ACK that came in time counts one back.
 */
const maxCredit = 8
/** Every so many sleeps a spin is tried again: a transfer to a near client may have begun. */
const retryAfterSleeps = 64

/**
 * Decides whether to spin (wait without sleeping) for the next ACK.
 *
 * With one block at a time a transfer is a chain of round trips. Where they are short, most of each is the
 * kernel putting the thread to sleep and waking it. Where they are longer, spinning only burns a core. So we
 * spin while that mostly succeeds, and never on a machine with one core, which the client may need.
 */
export class SpinWait {
  readonly #allowed: boolean
  #credit = maxCredit
  #sleeps = 0

  constructor(cores: number) {
    this.#allowed = cores > 1
  }

  /**
   * @param poll Looks without waiting. Returns the number of packets that came.
   * @returns 0 when the thread should sleep.
   */
  wait(poll: () => number): number {
    const count = poll()
    if (count > 0 || !this.#allowed) return count
    if (this.#credit === 0 && ++this.#sleeps % retryAfterSleeps !== 0) return 0
    const untilMs = performance.now() + spinMs
    do {
      const found = poll()
      if (found > 0) {
        this.#credit = Math.min(maxCredit, this.#credit + 1)
        return found
      }
    } while (performance.now() < untilMs)
    this.#credit = Math.max(0, this.#credit - 1)
    return 0
  }
}
