/** Bytes that are not valid XDR (RFC 4506). */
export class XdrError extends Error {
  override readonly name = 'XdrError'
}

/**
 * Throws for invalid UTF-8: no file has such a name, and it must not be decoded to the name of another file.
 */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads XDR from the front. Every read is checked against the length; opaque data are views, not copies. */
export class XdrReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#take(4))
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#take(8))
  }

  /** @throws XdrError for a number other than 0 and 1 (RFC 4506 section 4.4). */
  bool(): boolean {
    const value = this.u32()
    if (value > 1) throw new XdrError(`boolean ${value}`)
    return value === 1
  }

  fixed(length: number): Buffer {
    const at = this.#take(length)
    this.#take(padding(length))
    return this.#bytes.subarray(at, at + length)
  }

  opaque(maxLength: number): Buffer {
    const length = this.u32()
    if (length > maxLength) throw new XdrError(`${length} bytes where at most ${maxLength} are allowed`)
    return this.fixed(length)
  }

  /** @throws XdrError for bytes that are not UTF-8. */
  string(maxLength: number): string {
    const bytes = this.opaque(maxLength)
    try {
      return utf8.decode(bytes)
    } catch {
      throw new XdrError('a string that is not UTF-8')
    }
  }

  /** @throws XdrError when bytes are left over. */
  end(): void {
    if (this.left > 0) throw new XdrError(`${this.left} bytes too many`)
  }

  #take(length: number): number {
    const at = this.#at
    if (length > this.#bytes.length - at)
      throw new XdrError(`ends ${length - (this.#bytes.length - at)} bytes early`)
    this.#at = at + length
    return at
  }
}

/** Writes XDR. Its memory grows as needed: the caller keeps to the limits of the protocol. */
export class XdrWriter {
  #bytes: Buffer
  #length = 0

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** A view of the bytes written so far. Do not write after taking it. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  u32(value: number): this {
    const at = this.#room(4) // first, because it may replace #bytes
    this.#bytes.writeUInt32BE(value >>> 0, at)
    return this
  }

  /** A bigint, or a number up to 2^53. */
  u64(value: bigint | number): this {
    const at = this.#room(8)
    if (typeof value === 'bigint') this.#bytes.writeBigUInt64BE(value, at)
    else {
      this.#bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at)
      this.#bytes.writeUInt32BE(value % 0x1_0000_0000, at + 4)
    }
    return this
  }

  bool(value: boolean): this {
    return this.u32(value ? 1 : 0)
  }

  fixed(bytes: Uint8Array): this {
    const at = this.#room(bytes.length + padding(bytes.length))
    this.#bytes.set(bytes, at)
    this.#bytes.fill(0, at + bytes.length, this.#length)
    return this
  }

  opaque(bytes: Uint8Array): this {
    return this.u32(bytes.length).fixed(bytes)
  }

  string(text: string): this {
    return this.opaque(Buffer.from(text, 'utf8'))
  }

  /** Drops all bytes after the first `length`, to write another reply instead. */
  rewind(length: number): void {
    this.#length = Math.min(this.#length, length)
  }

  #room(count: number): number {
    const at = this.#length
    if (at + count > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, at + count))
      this.#bytes.copy(grown, 0, 0, at)
      this.#bytes = grown
    }
    this.#length = at + count
    return at
  }
}

/** The zero bytes after `length` bytes: every item is a multiple of four bytes long (RFC 4506 section 3). */
export function padding(length: number): number {
  return (4 - (length & 3)) & 3
}
