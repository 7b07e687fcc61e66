import { Failure } from '../../core/failure.ts'

/** Reads a stream of bytes in parts of known length. */
export class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array>
  #unread: Uint8Array = new Uint8Array(0)
  /** Bytes taken so far. */
  position = 0

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]()
  }

  /** Reads `length` bytes into one buffer, or fewer at the end of the stream. Meant for headers. */
  async take(length: number): Promise<Buffer> {
    const parts: Uint8Array[] = []
    for await (const part of this.#upTo(length)) parts.push(part)
    return Buffer.concat(parts)
  }

  /**
   * The next `length` bytes, piece by piece.
   *
   * @throws Failure `invalid-data` when the stream ends earlier.
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
        `the archive is cut off: it ends at byte ${this.position}, ${length - got} bytes before the announced end`,
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
      if (this.#unread.length === 0) {
        const next = await this.#pieces.next()
        if (next.done) return
        this.#unread = next.value
        continue
      }
      const part = this.#unread.subarray(0, left)
      this.#unread = this.#unread.subarray(part.length)
      this.position += part.length
      left -= part.length
      yield part
    }
  }
}
