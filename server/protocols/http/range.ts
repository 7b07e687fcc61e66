/** Bytes `from` to `from + length - 1`. */
export interface Span {
  readonly from: number
  readonly length: number
}

/** librepo asks for up to 256 ranges in one request; a longer list is answered with the whole file. */
const maxRanges = 256

/**
 * The spans that a Range header asks of `size` bytes (RFC 9110 section 14.1.2), in the order asked. Overlapping
 * ones are joined, so an answer is never larger than the file.
 *
 * undefined: serve the whole file, for the header is in another unit, malformed or unreasonable, and then a server
 * acts as if it were not there.
 */
export function parseRange(header: string, size: number): readonly Span[] | 'unsatisfiable' | undefined {
  const list = /^\s*bytes\s*=(.*)$/i.exec(header)?.[1]
  if (list === undefined) return undefined
  const items = list.split(',').map((item) => item.trim())
  if (items.length > maxRanges) return undefined
  const spans: Span[] = []
  for (const item of items) {
    if (item === '') continue // a list may have empty elements: RFC 9110 section 5.6.1
    const [, first = '', last = ''] = /^(\d*)\s*-\s*(\d*)$/.exec(item) ?? []
    if (first === '' && last === '') return undefined
    if (first === '') {
      // The last bytes; of an empty file that is all of it, for which Content-Range has no spelling.
      const length = Math.min(Number(last), size)
      if (size === 0 && Number(last) > 0) return undefined
      if (length > 0) spans.push({ from: size - length, length })
      continue
    }
    const from = Number(first)
    const end = last === '' ? size - 1 : Number(last)
    if (last !== '' && end < from) return undefined
    if (from < size) spans.push({ from, length: Math.min(end, size - 1) - from + 1 })
  }
  if (spans.length > 0) return joinOverlapping(spans)
  return items.every((item) => item === '') ? undefined : 'unsatisfiable'
}

/** Each group of overlapping spans becomes one, at the place of its first member. */
function joinOverlapping(spans: readonly Span[]): readonly Span[] {
  if (spans.length === 1) return spans
  const sorted = spans.map((span, order) => ({ ...span, order })).sort((a, b) => a.from - b.from)
  const joined: (Span & { order: number })[] = []
  for (const span of sorted) {
    const last = joined.at(-1)
    if (last && span.from < last.from + last.length) {
      const end = Math.max(last.from + last.length, span.from + span.length)
      joined[joined.length - 1] = {
        from: last.from,
        length: end - last.from,
        order: Math.min(last.order, span.order),
      }
    } else joined.push(span)
  }
  return joined.sort((a, b) => a.order - b.order).map(({ from, length }) => ({ from, length }))
}
