/**
 * How long to spin: a little longer than an ACK takes on this machine or on a fast network. Going to sleep
 * and waking up takes as long.
 */
const spinMs = 0.06
/**
 * The most credit. A spin in which no ACK comes costs one, a spin in which an ACK comes gives one back.
 * Without credit we do not spin.
 */
const maxCredit = 8
/** Without credit, one spin is tried after this many sleeps: a transfer to a near client may have begun. */
const retryAfterSleeps = 64

/**
 * Decides whether to spin (wait without sleeping) for the next ACK.
 *
 * With one block at a time a transfer is a chain of round trips. When round trips are short, the kernel takes
 * most of the time to put the thread to sleep and to wake it. When they are longer, spinning only burns a
 * core. So we spin while that mostly succeeds, and never on a machine with one core: the client may run there
 * and need it.
 */
export class SpinWait {
  readonly #allowed: boolean
  #credit = maxCredit
  #sleeps = 0

  constructor(cores: number) {
    this.#allowed = cores > 1
  }

  /**
   * Polls, once or for as long as spinning is worthwhile.
   *
   * @param poll Receives packets without waiting, and returns their number.
   * @returns The number of packets; 0 when the thread should sleep.
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
