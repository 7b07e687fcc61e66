import { Failure } from '../../core/failure.ts'

/** How a long text is cut, and how much of it is read. */
export interface PartsOptions {
  /** The name of the text, for messages. */
  readonly what: string
  readonly separator: string
  /** Bytes of the whole text. */
  readonly maxBytes: number
  /** Characters of one part. */
  readonly maxPartLength: number
  readonly maxParts: number
}

/** A part of the text. The last one has no separator behind it, and may be empty. */
export interface Part {
  readonly text: string
  readonly isLast: boolean
}

/**
 * Cuts a text into the parts between separators, and never holds more than one part and one piece. Only what has
 * come new is searched, so the work grows with the text and not with the length of a part.
 *
 * @throws Failure `too-large` beyond the limits.
 */
export async function* partsOf(
  pieces: AsyncIterable<Uint8Array>,
  { what, separator, maxBytes, maxPartLength, maxParts }: PartsOptions,
): AsyncGenerator<Part> {
  const decoder = new TextDecoder()
  const waiting = new WaitingText(separator)
  let bytes = 0
  let parts = 0
  for await (const piece of pieces) {
    bytes += piece.length
    if (bytes > maxBytes) throw new Failure('too-large', `${what} has more than ${maxBytes} bytes unpacked`)
    for (const text of waiting.add(decoder.decode(piece, { stream: true }))) {
      if (++parts > maxParts) throw new Failure('too-large', `${what} has more than ${maxParts} entries`)
      if (text.length > maxPartLength) throw tooLong(what, maxPartLength)
      yield { text, isLast: false }
    }
    if (waiting.length > maxPartLength) throw tooLong(what, maxPartLength)
  }
  yield { text: waiting.rest(), isLast: true }
}

function tooLong(what: string, maxPartLength: number): Failure {
  return new Failure('too-large', `${what} has an entry of more than ${maxPartLength} characters`)
}

/** The text behind the last separator, in the pieces in which it came. */
class WaitingText {
  readonly #separator: string
  #texts: string[] = []
  #length = 0
  /** The end of what was searched, where a separator may have begun. */
  #tail = ''

  constructor(separator: string) {
    this.#separator = separator
  }

  get length(): number {
    return this.#length
  }

  /** Adds a text, and returns the parts that end in it. */
  add(text: string): readonly string[] {
    const searched = this.#tail + text
    this.#texts.push(text)
    this.#length += text.length
    this.#tail = searched.slice(Math.max(0, searched.length - this.#separator.length + 1))
    if (!searched.includes(this.#separator)) return []
    const parts = this.rest().split(this.#separator)
    const last = parts.pop() ?? ''
    this.#texts = [last]
    this.#length = last.length
    this.#tail = last.slice(Math.max(0, last.length - this.#separator.length + 1))
    return parts
  }

  rest(): string {
    return this.#texts.join('')
  }
}
