import { Failure } from '../../core/failure.ts'
import { upstreamLimits } from '../../core/limits/upstreams.ts'

/** What stands between two empty lines of a stream. Without `data` it is no event: it may only tell how far one has come. */
export interface StreamBlock {
  /** '' for one that names no type. */
  readonly event: string
  readonly data: string
  /** For `Last-Event-ID`; '' for one without. */
  readonly id: string
}

const empty: StreamBlock = { event: '', data: '', id: '' }

/** Reads Server-Sent Events (WHATWG HTML, 9.2.6) from pieces of any length. Comments are left out. */
export class EventReader {
  readonly #decoder = new TextDecoder()
  /** The line so far, with the CR that may be half of its end. */
  #line = ''
  #block = empty
  #hasData = false
  /** Characters of the lines of this block. */
  #length = 0

  /** @throws Failure `too-large` for an event that has no end in sight. */
  push(piece: Uint8Array): StreamBlock[] {
    const text = this.#line + this.#decoder.decode(piece, { stream: true })
    // Whether LF follows this one is not known yet.
    const held = text.endsWith('\r') ? '\r' : ''
    const lines = text.slice(0, text.length - held.length).split(/\r\n|\n|\r/)
    this.#line = `${lines.pop() ?? ''}${held}`
    const blocks = lines.flatMap((line) => this.#take(line))
    this.#refuseLong(this.#line.length)
    return blocks
  }

  #take(line: string): StreamBlock[] {
    if (line === '') return this.#finish()
    this.#refuseLong(line.length)
    this.#length += line.length
    const colon = line.indexOf(':')
    if (colon === 0) return []
    const [name, rest] = colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1)]
    const value = rest.replace(/^ /, '')
    if (name === 'event') this.#block = { ...this.#block, event: value }
    if (name === 'id' && !value.includes('\0')) this.#block = { ...this.#block, id: value }
    if (name === 'data') {
      const data = this.#hasData ? `${this.#block.data}\n${value}` : value
      this.#block = { ...this.#block, data }
      this.#hasData = true
    }
    return []
  }

  #finish(): StreamBlock[] {
    const block = this.#block
    this.#block = empty
    this.#hasData = false
    this.#length = 0
    return block === empty ? [] : [block]
  }

  #refuseLong(more: number): void {
    const { bytes: most } = upstreamLimits.streamedEvent
    if (this.#length + more > most)
      throw new Failure('too-large', `an event of more than ${most} characters came, which is not read`)
  }
}
