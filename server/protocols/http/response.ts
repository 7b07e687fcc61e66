import type { IncomingHttpHeaders } from 'node:http'
import type { CleanPath } from '../../files/path.ts'
import type { Part } from '../../files/send.ts'
import type { Entry } from '../../files/source.ts'
import { judgeConditions, rangeHolds } from './conditions.ts'
import { contentTypeOf } from './content-type.ts'
import { parseRange, type Span } from './range.ts'

/** A whole response as a value. `headers` is a flat list of names and values, written with exactly this case. */
export interface Answer {
  readonly status: number
  readonly headers: readonly string[]
  /** Empty for HEAD. */
  readonly parts: readonly Part[]
}

export interface FileRequest {
  readonly method: 'GET' | 'HEAD'
  readonly path: CleanPath
  readonly headers: IncomingHttpHeaders
  /** Makes the separator of a multipart answer: text that no file holds. */
  readonly boundary: () => string
}

/**
 * The answer for a file. Facts in, value out: whoever calls writes it.
 *
 * `Content-Length` always comes, first and in this case: GRUB 2.06 compares the very bytes `Content-Length: `, and
 * takes a response without it for one of unknown size. There is never a Content-Encoding: python-requests would
 * store the unpacked initrd.gz.
 */
export function answerFile(entry: Entry, request: FileRequest): Answer {
  const verdict = judgeConditions(request.headers, entry)
  if (verdict === 'precondition-failed') return emptyAnswer(412, validatorsOf(entry))
  if (verdict === 'not-modified') return { status: 304, headers: validatorsOf(entry), parts: [] }

  const spans = spansOf(entry, request)
  if (spans === 'unsatisfiable')
    return emptyAnswer(416, ['Content-Range', `bytes */${entry.size}`, ...validatorsOf(entry)])
  if (spans === undefined) {
    const whole = { from: 0, length: entry.size }
    return {
      status: 200,
      headers: wholeHeaders(entry, request.path),
      parts: request.method === 'HEAD' || entry.size === 0 ? [] : [entry.content ?? whole],
    }
  }
  const type = contentTypeOf(request.path, entry.content)
  const [only] = spans
  if (spans.length > 1 || !only) return multipart(entry, type, spans, request.boundary())
  return {
    status: 206,
    headers: [
      'Content-Length',
      String(only.length),
      'Content-Type',
      type,
      'Content-Range',
      contentRange(only, entry.size),
      ...validatorsOf(entry),
    ],
    parts: [partOf(entry, only)],
  }
}

/** The headers of a 200 for the whole file. */
export function wholeHeaders(entry: Entry, path: CleanPath): readonly string[] {
  const type = contentTypeOf(path, entry.content)
  const headers = ['Content-Length', String(entry.size), 'Content-Type', type, ...validatorsOf(entry)]
  headers.push('Accept-Ranges', 'bytes')
  // A page inside a tree must not act with the rights of whoever is signed in to our own pages.
  if (/html|svg|xml/.test(type)) headers.push('Content-Security-Policy', 'sandbox')
  return headers
}

/** An answer that has only its status. Machines get no words: GRUB 2.06 takes the body of a 404 for the file. */
export function emptyAnswer(status: number, headers: readonly string[] = []): Answer {
  return { status, headers: ['Content-Length', '0', ...headers], parts: [] }
}

export function bodyLength(answer: Answer): number {
  return answer.parts.reduce((sum, part) => sum + part.length, 0)
}

/** Range is defined for GET alone (RFC 9110 section 14.2): a HEAD tells about the whole file. */
function spansOf(
  entry: Entry,
  { method, headers }: FileRequest,
): readonly Span[] | 'unsatisfiable' | undefined {
  const range = headers.range
  if (method === 'HEAD' || range === undefined || !rangeHolds(ifRangeOf(headers), entry)) return undefined
  return parseRange(range, entry.size)
}

function ifRangeOf(headers: IncomingHttpHeaders): string | undefined {
  const value = headers['if-range']
  return Array.isArray(value) ? value.join(', ') : value
}

function validatorsOf(entry: Entry): readonly string[] {
  return ['ETag', `"${entry.etag}"`, 'Last-Modified', new Date(entry.modifiedMs).toUTCString()]
}

function contentRange(span: Span, size: number): string {
  return `bytes ${span.from}-${span.from + span.length - 1}/${size}`
}

function partOf(entry: Entry, span: Span): Part {
  return entry.content?.subarray(span.from, span.from + span.length) ?? span
}

/** RFC 9110 section 14.6, for the lists of ranges that librepo and libzypp ask for. */
function multipart(entry: Entry, type: string, spans: readonly Span[], boundary: string): Answer {
  const parts: Part[] = []
  for (const span of spans) {
    const head = `\r\n--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: ${contentRange(span, entry.size)}\r\n\r\n`
    parts.push(Buffer.from(head, 'latin1'), partOf(entry, span))
  }
  parts.push(Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'))
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return {
    status: 206,
    headers: [
      'Content-Length',
      String(length),
      'Content-Type',
      `multipart/byteranges; boundary=${boundary}`,
      ...validatorsOf(entry),
    ],
    parts,
  }
}
