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
 * other. The buffer that was returned last is lent first, because its memory is still in the cache. Buffers that
 * nobody needed for `idleMs` are given up.
 */
export class BufferPool {
  readonly #free: Buffer[] = []
  readonly #limit: number
  readonly #idleMs: number
  #lent = 0
  /** The fewest free buffers since the timer was started: so many were not needed. */
  #leastFree = 0
  #timer: NodeJS.Timeout | undefined

  /** @param limit With 96, all big buffers together take 48 MiB. */
  constructor(limit = 96, idleMs = 10_000) {
    this.#limit = limit
    this.#idleMs = idleMs
  }

  /** Number of big buffers that are lent now. */
  get lent(): number {
    return this.#lent
  }

  /** Number of big buffers that wait for the next download. */
  get free(): number {
    return this.#free.length
  }

  take(): Loan {
    if (this.#lent >= this.#limit) return { bytes: Buffer.allocUnsafeSlow(smallBufferBytes), big: false }
    this.#lent++
    const bytes = this.#free.pop() ?? Buffer.allocUnsafeSlow(bigBufferBytes)
    this.#leastFree = Math.min(this.#leastFree, this.#free.length)
    return { bytes, big: true }
  }

  give(loan: Loan): void {
    if (!loan.big) return
    this.#lent--
    this.#free.push(loan.bytes)
    this.#timer ??= setTimeout(() => this.#giveUpIdle(), this.#idleMs).unref()
  }

  #giveUpIdle(): void {
    // The longest unused ones are in front.
    this.#free.splice(0, this.#leastFree)
    this.#leastFree = this.#free.length
    const isDone = this.#leastFree === 0
    this.#timer = isDone ? undefined : setTimeout(() => this.#giveUpIdle(), this.#idleMs).unref()
  }
}
