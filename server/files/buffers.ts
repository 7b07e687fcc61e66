/** Large enough that a system call moves a lot, small enough for the processor's cache. */
export const bigBufferBytes = 512 * 1024
const smallBufferBytes = 64 * 1024

/** A buffer on loan. `give` it back once, when the last write that uses it is over. */
export interface Loan {
  readonly bytes: Buffer
  readonly big: boolean
}

/**
 * The big buffers of all downloads together. However many clients there are, no more than `limit` big buffers
 * exist; whoever finds none left goes on with a small one of its own, so a thousand slow clients cost 64 KiB each
 * and cannot stop one another. The last returned goes out first: its memory is still in the cache.
 */
export class BufferPool {
  readonly #free: Buffer[] = []
  readonly #limit: number
  #lent = 0

  constructor(limit = 96) {
    this.#limit = limit
  }

  /** Big buffers that are out on loan. */
  get lent(): number {
    return this.#lent
  }

  take(): Loan {
    if (this.#lent >= this.#limit) return { bytes: Buffer.allocUnsafeSlow(smallBufferBytes), big: false }
    this.#lent++
    return { bytes: this.#free.pop() ?? Buffer.allocUnsafeSlow(bigBufferBytes), big: true }
  }

  give(loan: Loan): void {
    if (!loan.big) return
    this.#lent--
    this.#free.push(loan.bytes)
  }
}
