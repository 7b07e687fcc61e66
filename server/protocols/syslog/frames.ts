import { requestLimits } from '../../core/limits/requests.ts'

const most = requestLimits.syslogLine.bytes
const [lf, nul, space, zero, one, nine] = [10, 0, 32, 48, 49, 57]
/** More digits than these are no length of a message. */
const mostDigits = 7

/**
 * The lines in a stream of TCP (RFC 6587): each begins with its length (`octet counting`, section 3.4.1), or ends with a
 * line feed or NUL (section 3.4.2). Each line says by its first byte which it is: a length begins with 1 to 9, a message
 * with `<`. rsyslog's imtcp decides so, too.
 *
 * Of a longer line the first 8 KiB are kept, and the rest is skipped, so memory is bounded whatever is sent.
 */
export class FrameReader {
  readonly #onLine: (line: Buffer) => void
  #pieces: Buffer[] = []
  #kept = 0
  /** Bytes of the counted line that have not come; undefined while a line ends with a line feed. */
  #left: number | undefined
  /** The digits of a length, as far as they came. */
  #digits = ''
  #isAtStart = true

  constructor(onLine: (line: Buffer) => void) {
    this.#onLine = onLine
  }

  /** Takes the next bytes. */
  push(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) at = this.#step(bytes, at)
  }

  /** The connection has ended: a line without an end is one, as rsyslog sends its last. */
  end(): void {
    if (this.#digits !== '') this.#keep(Buffer.from(this.#digits))
    this.#finish()
  }

  #step(bytes: Buffer, at: number): number {
    if (this.#isAtStart) return this.#begin(bytes, at)
    if (this.#left !== undefined) {
      const end = Math.min(bytes.length, at + this.#left)
      this.#keep(bytes.subarray(at, end))
      this.#left -= end - at
      if (this.#left === 0) this.#finish()
      return end
    }
    const end = lineEnd(bytes, at)
    this.#keep(bytes.subarray(at, end))
    if (end === bytes.length) return end
    this.#finish()
    return end + 1
  }

  /** Reads a length, if the line has one. */
  #begin(bytes: Buffer, at: number): number {
    const byte = bytes[at] ?? 0
    if (this.#digits === '' && (byte === lf || byte === nul)) return at + 1
    const isDigit = byte >= (this.#digits === '' ? one : zero) && byte <= nine
    if (isDigit && this.#digits.length < mostDigits) {
      this.#digits += String.fromCharCode(byte)
      return at + 1
    }
    this.#isAtStart = false
    if (this.#digits !== '' && byte === space) {
      this.#left = Number(this.#digits)
      this.#digits = ''
      return at + 1
    }
    // Digits without a blank were the beginning of a line.
    if (this.#digits !== '') this.#keep(Buffer.from(this.#digits))
    this.#digits = ''
    return at
  }

  #keep(piece: Buffer): void {
    const part = piece.subarray(0, most - this.#kept)
    if (part.length === 0) return
    this.#kept += part.length
    // A copy: a part of the buffer that Node read would keep all of it in memory.
    this.#pieces.push(Buffer.from(part))
    // Many tiny pieces cost more than their bytes.
    if (this.#pieces.length > 64) this.#pieces = [Buffer.concat(this.#pieces)]
  }

  #finish(): void {
    const line = Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#kept = 0
    this.#left = undefined
    this.#digits = ''
    this.#isAtStart = true
    if (line.length > 0) this.#onLine(line)
  }
}

function lineEnd(bytes: Buffer, at: number): number {
  let end = at
  while (end < bytes.length && bytes[end] !== lf && bytes[end] !== nul) end++
  return end
}
