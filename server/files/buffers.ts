/** Large enough that a system call moves many bytes, small enough for the processor's cache. */
export const bigBufferBytes = 512 * 1024
const smallBufferBytes = 64 * 1024

/** A buffer that was lent. `give` it back once, after the last write that uses it. */
export interface Loan {
  readonly bytes: Buffer
  readonly big: boolean
}

/**
 * Lends the big buffers that all downloads share. At most `limit` big buffers exist. A download that gets
 * none uses a small buffer of its own, so a thousand slow clients cost 64 KiB each and cannot block each
 * other. The buffer that was returned last is lent first, because its memory is still in the cache.
 */
export class BufferPool {
  readonly #free: Buffer[] = []
  readonly #limit: number
  #lent = 0

  /** @param limit With 96, all big buffers together take 48 MiB. */
  constructor(limit = 96) {
    this.#limit = limit
  }

  /** Number of big buffers that are lent now. */
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
