/** From the bytes of a control connection to lines, and from a line to a command (RFC 959 section 5.3). */

/** A whole line, or `tooLong` in place of a line over the limit. */
export type ControlLine = string | typeof tooLong

export const tooLong: unique symbol = Symbol('line too long')

const lf = 0x0a
const cr = 0x0d
/** The escape byte of Telnet (RFC 854). UTF-8 text never contains it, so a name cannot either. */
const iac = 0xff
/**
 * The bytes from 240 on are commands when they follow an IAC. WILL, WONT, DO and DONT (251 to 254) take one
 * more byte. A byte below 240 is text, and the IAC before it stood alone.
 */
const firstTelnetCommand = 240
const firstWithOption = 251

/**
 * Cuts a control connection into lines (RFC 959 section 5.3.1, RFC 1123 section 4.1.2.10). One line may come
 * in many segments, and many lines in one segment. LF alone ends a line too: people type into `nc`.
 *
 * Telnet commands are removed anywhere in a line: older clients send IAC IP, IAC DM before ABOR. The DM
 * travels as urgent data, which the kernel delivers separately, so a single IAC may remain before the text.
 *
 * A line over the limit is dropped up to its end and reported once. The reader never keeps more than the
 * limit.
 */
export class LineReader {
  /** The line so far: `#length` bytes. */
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

  /**
   * Forgets an unfinished line: text that came unencrypted must not become part of a command sent over TLS.
   */
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
        this.#telnet = byte >= firstWithOption && byte !== iac ? 'option' : 'text'
        return byte >= firstTelnetCommand
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

/** A command: the verb in capitals, and everything after the one space that ends the verb. */
export interface Command {
  readonly verb: string
  /** Empty when the line has only a verb. Spaces belong to the argument: a name may begin or end with one. */
  readonly argument: string
}

/** The names of RFC 775, which began with an X. Some clients still send them (RFC 1123 section 4.1.3.1). */
const oldNames: Readonly<Record<string, string>> = {
  XCWD: 'CWD',
  XCUP: 'CDUP',
  XPWD: 'PWD',
  XMKD: 'MKD',
  XRMD: 'RMD',
}

/** Parses a line as a command; undefined for a line without a verb and for `tooLong`. */
export function parseCommand(line: ControlLine): Command | undefined {
  if (line === tooLong) return undefined
  const [, written = '', argument = ''] = /^\s*([A-Za-z]{1,16})(?: (.*))?$/s.exec(line) ?? []
  if (written === '') return undefined
  const verb = written.toUpperCase()
  return { verb: oldNames[verb] ?? verb, argument }
}

/**
 * Describes a command for the log: shortened, without its password, and without control characters, which
 * could move a terminal's cursor.
 */
export function describeCommand({ verb, argument }: Command): string {
  if (verb === 'PASS') return 'PASS ***'
  return argument === '' ? verb : `${verb} ${JSON.stringify(argument.slice(0, 200))}`
}
