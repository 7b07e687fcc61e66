import { Failure } from '../../core/failure.ts'

/** Reads a stream of bytes in parts of known length. */
export class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array(0)
  /** Bytes taken so far, for messages. */
  position = 0

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]()
  }

  /** Exactly `length` bytes in one piece, or fewer at the end of the stream. It is for headers. */
  async take(length: number): Promise<Buffer> {
    const parts: Uint8Array[] = []
    for await (const part of this.#upTo(length)) parts.push(part)
    return Buffer.concat(parts)
  }

  /**
   * The next `length` bytes, piece by piece.
   *
   * @throws Failure `invalid-data` when the stream ends before.
   */
  async *body(length: number): AsyncGenerator<Uint8Array> {
    let got = 0
    for await (const part of this.#upTo(length)) {
      got += part.length
      yield part
    }
    if (got < length)
      throw new Failure(
        'invalid-data',
        `cut off: it ends at byte ${this.position}, and ${length - got} more were announced`,
      )
  }

  async skip(length: number): Promise<void> {
    for await (const _ of this.body(length));
  }

  async close(): Promise<void> {
    await this.#pieces.return?.()
  }

  async *#upTo(length: number): AsyncGenerator<Uint8Array> {
    let left = length
    while (left > 0) {
      if (this.#rest.length === 0) {
        const next = await this.#pieces.next()
        if (next.done) return
        this.#rest = next.value
        continue
      }
      const part = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(part.length)
      this.position += part.length
      left -= part.length
      yield part
    }
  }
}
