/** What the bytes of a control connection add up to: a whole line, or the news that one was too long. */
export type ControlLine = string | typeof tooLong

export const tooLong: unique symbol = Symbol('line too long')

const lf = 0x0a
const cr = 0x0d
/** Telnet's escape (RFC 854). It is no part of UTF-8 text, so it cannot be met inside a name. */
const iac = 0xff
const firstOption = 251 // WILL, WONT, DO and DONT take one more byte
const firstCommand = 240

/**
 * Cuts a control connection into lines (RFC 959 section 5.3.1, RFC 1123 section 4.1.2.10). A line may come in many
 * segments and many lines in one. LF alone ends a line too: people type into `nc`.
 *
 * Telnet commands are taken out wherever they stand: older clients send IAC IP, IAC DM before ABOR. The DM
 * travels as urgent data, which the kernel hands out separately, so an IAC may be left alone before the text.
 *
 * A line over the limit is dropped up to its end and reported once; what is kept never exceeds the limit.
 */
export class LineReader {
  readonly #kept: Buffer
  #length = 0
  #overflow = false
  #telnet: 'text' | 'iac' | 'option' = 'text'

  constructor(maxBytes: number) {
    this.#kept = Buffer.allocUnsafeSlow(maxBytes)
  }

  push(chunk: Uint8Array): ControlLine[] {
    const lines: ControlLine[] = []
    for (const byte of chunk) {
      if (this.#isTelnet(byte)) continue
      if (byte === lf) lines.push(this.#finish())
      else if (this.#length < this.#kept.length) this.#kept[this.#length++] = byte
      else this.#overflow = true
    }
    return lines
  }

  /** Forgets half a line. What came in the clear must not be taken for something said under TLS. */
  clear(): void {
    this.#length = 0
    this.#overflow = false
    this.#telnet = 'text'
  }

  #isTelnet(byte: number): boolean {
    switch (this.#telnet) {
      case 'text':
        if (byte !== iac) return false
        this.#telnet = 'iac'
        return true
      case 'iac':
        this.#telnet = byte >= firstOption && byte !== iac ? 'option' : 'text'
        return byte >= firstCommand
      case 'option':
        this.#telnet = 'text'
        return true
    }
  }

  #finish(): ControlLine {
    const end = this.#kept[this.#length - 1] === cr ? this.#length - 1 : this.#length
    const line = this.#overflow ? tooLong : this.#kept.toString('utf8', 0, end)
    this.clear()
    return line
  }
}
