/** The Range header of RFC 9110 section 14, as spans of bytes. */

import { requestLimits } from '../../../core/limits/requests.ts'
import type { Span } from '../../../files/send.ts'

export type { Span }

/** librepo asks for up to 256 ranges in one request. The response to a longer list is the whole file. */
const maxRanges = requestLimits.ranges.entries

/**
 * The spans that a Range header asks for, of a file of `size` bytes (RFC 9110 section 14.1.2), in its order.
 * Overlapping spans are joined, so a response is never larger than the file.
 *
 * Undefined means: serve the whole file. The header has another unit, is malformed or asks for too much, and
 * RFC 9110 section 14.2 lets a server ignore it.
 */
export function parseRange(header: string, size: number): readonly Span[] | 'unsatisfiable' | undefined {
  const list = /^\s*bytes\s*=(.*)$/i.exec(header)?.[1]
  if (list === undefined) return undefined
  const items = list.split(',').map((item) => item.trim())
  if (items.length > maxRanges) return undefined
  // A list may have empty elements: RFC 9110 section 5.6.1.
  const ranges = items.filter((item) => item !== '').map((item) => parseItem(item, size))
  if (ranges.length === 0 || ranges.includes(undefined)) return undefined
  const spans = ranges.filter((span) => span !== undefined).filter(({ length }) => length > 0)
  return spans.length === 0 ? 'unsatisfiable' : joinOverlapping(spans)
}

/**
 * Parses one range to a span, of length 0 when the file has no such bytes. Undefined when the range is
 * malformed.
 */
function parseItem(item: string, size: number): Span | undefined {
  const [, first = '', last = ''] = /^(\d*)\s*-\s*(\d*)$/.exec(item) ?? []
  if (first === '') return last === '' ? undefined : suffix(Number(last), size)
  const from = Number(first)
  if (last === '') return { from, length: Math.max(0, size - from) }
  const end = Number(last)
  if (end < from) return undefined
  return { from, length: Math.max(0, Math.min(end, size - 1) - from + 1) }
}

/**
 * The last `count` bytes. For an empty file this is the whole file, but Content-Range cannot express a range
 * of length 0. So the range counts as malformed, and the response is a 200.
 */
function suffix(count: number, size: number): Span | undefined {
  if (size === 0 && count > 0) return undefined
  const length = Math.min(count, size)
  return { from: size - length, length }
}

/** Each group of overlapping spans becomes one span, at the position of its first member. */
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
