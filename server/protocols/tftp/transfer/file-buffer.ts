/**
 * The octets of one file on their way to clients. The buffer fills from the front (file-readers.ts) while
 * blocks are already being sent from it.
 *
 * A whole file stays in its buffer and is shared by all transfers of that file. A file that is too large to
 * be kept passes through a ring, one ring for each transfer: position p is at p modulo the buffer's length,
 * and the reader overwrites only what was discarded. A file that is still to be read has a
 * SharedArrayBuffer, because another thread may send from it meanwhile. Of any other, that thread gets a copy.
 */
export class FileBuffer {
  readonly size: number
  readonly bytes: Uint8Array
  /** The octets of the file before this position have been read. */
  filled: number
  readonly #reader: FileBufferReader | undefined
  #waiters: FileBufferWaiter[] = []

  /** Without a reader, `bytes` holds the whole file already. */
  constructor(size: number, bytes: Uint8Array, reader?: FileBufferReader) {
    this.size = size
    this.bytes = bytes
    this.#reader = reader
    this.filled = reader ? 0 : size
  }

  /**
   * Whether everything before `end` has been read. If not, the reader continues, and `waiter` is called once
   * when more has been read. A transfer waits for one position at a time.
   */
  ready(end: number, waiter: FileBufferWaiter): boolean {
    if (this.filled >= end) return true
    if (!this.#waiters.includes(waiter)) this.#waiters.push(waiter)
    this.#reader?.readOn(this)
    return false
  }

  /** The transfer will not ask again for octets before `position`. */
  discardBefore(position: number): void {
    this.#reader?.discardBefore(position, this)
  }

  /** A transfer begins to use the buffer. Each `acquire` is followed by one `release`. */
  acquire(): void {
    this.#reader?.acquire()
  }

  /** A transfer has ended. `waiter` is not to be called any more. Left out: whoever waits goes on waiting. */
  release(waiter?: FileBufferWaiter): void {
    if (waiter) this.#waiters = this.#waiters.filter((each) => each !== waiter)
    this.#reader?.release()
  }

  /** Called by the reader: the octets before `end` have been read. */
  advance(end: number): void {
    this.filled = end
    for (const waiter of this.#takeWaiters()) waiter.moreRead()
  }

  /** Called by the reader: the file cannot be read any further. */
  fail(error: unknown): void {
    for (const waiter of this.#takeWaiters()) waiter.readFailed(error)
  }

  /** Copies octets that are `ready` to `target`. */
  copy(position: number, length: number, target: Uint8Array, at: number): void {
    if (length === 0) return
    const start = position % this.bytes.length
    const first = Math.min(length, this.bytes.length - start)
    target.set(this.#part(start, first), at)
    if (first < length) target.set(this.#part(0, length - first), at + first)
  }

  /** A view made like this costs less for each packet than Buffer's `copy`. */
  #part(start: number, length: number): Uint8Array {
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + start, length)
  }

  #takeWaiters(): FileBufferWaiter[] {
    const waiters = this.#waiters
    this.#waiters = []
    return waiters
  }
}

/** A transfer that waits for octets of the file. */
export interface FileBufferWaiter {
  /** More has been read. Call `ready` again: it may not be enough yet. */
  moreRead(): void
  readFailed(error: unknown): void
}

/** Fills a FileBuffer. */
export interface FileBufferReader {
  /** Continues to read if the buffer has room. May be called at any time, also while reading. */
  readOn(buffer: FileBuffer): void
  discardBefore(position: number, buffer: FileBuffer): void
  acquire(): void
  release(): void
}
