/**
 * The octets of one transfer, or of many: a buffer that fills up from the front while it is already being sent.
 *
 * A whole file fits its buffer, stays, and is shared by everyone who asks for it. A file too large for that passes
 * through a ring, one per transfer: position p lives at p modulo the buffer's length, and the producer overwrites only
 * what has been released. Buffers are SharedArrayBuffers where another thread sends from them.
 */
export class Content {
  readonly size: number
  readonly buffer: Uint8Array
  /** Octets from the start of the file up to here have been read. */
  filled: number
  readonly #producer: Producer | undefined
  #waiting: Waiting[] = []

  constructor(size: number, buffer: Uint8Array, producer?: Producer) {
    this.size = size
    this.buffer = buffer
    this.#producer = producer
    this.filled = producer ? 0 : size
  }

  /**
   * Whether everything before `end` is there. If not, it is being fetched, and `waiting` hears of it once; a
   * transfer waits for one position at a time.
   */
  ready(end: number, waiting: Waiting): boolean {
    if (this.filled >= end) return true
    if (!this.#waiting.includes(waiting)) this.#waiting.push(waiting)
    this.#producer?.pull(this)
    return false
  }

  /** Octets before `position` will not be asked for again by this transfer. */
  release(position: number): void {
    this.#producer?.release(position, this)
  }

  /** A transfer begins to use it. Every `retain` is followed by one `leave`. */
  retain(): void {
    this.#producer?.retain()
  }

  leave(waiting: Waiting | undefined): void {
    if (waiting) this.#waiting = this.#waiting.filter((one) => one !== waiting)
    this.#producer?.leave()
  }

  /** For producers: octets up to `end` are in the buffer now. */
  advance(end: number): void {
    this.filled = end
    this.#wake((waiting) => waiting.arrived())
  }

  /** For producers: reading has failed, nothing more will come. */
  fail(error: unknown): void {
    this.#wake((waiting) => waiting.failed(error))
  }

  /** Copies octets that are `ready` to `target`. */
  copy(position: number, length: number, target: Uint8Array, at: number): void {
    const capacity = this.buffer.length
    if (length === 0) return
    const start = position % capacity
    const first = Math.min(length, capacity - start)
    copyBytes(this.buffer, start, first, target, at)
    if (first < length) copyBytes(this.buffer, 0, length - first, target, at + first)
  }

  #wake(tell: (waiting: Waiting) => void): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) tell(one)
  }
}

/** A transfer that waits for octets. */
export interface Waiting {
  /** More has been read; ask again whether it is enough. */
  arrived(): void
  failed(error: unknown): void
}

/** Who fills a Content. */
export interface Producer {
  /** Read on. Called again and again, also while reading. */
  pull(content: Content): void
  release(position: number, content: Content): void
  retain(): void
  leave(): void
}

function copyBytes(source: Uint8Array, start: number, length: number, target: Uint8Array, at: number): void {
  target.set(new Uint8Array(source.buffer, source.byteOffset + start, length), at)
}
