import { Failure } from '../../core/failure.ts'

/**
 * The lines of a text, one at a time: an array of all lines would take more memory than the text.
 *
 * @throws Failure `too-large` at the line after `maxLines`.
 */
export function* linesOf(text: string, what: string, maxLines: number): Generator<string> {
  let lines = 0
  for (let from = 0; from <= text.length; ) {
    const end = text.indexOf('\n', from)
    const to = end < 0 ? text.length : end
    if (++lines > maxLines) throw new Failure('too-large', `${what} has more than ${maxLines} lines`)
    yield text.slice(from, text[to - 1] === '\r' && to > from ? to - 1 : to)
    from = to + 1
  }
}
