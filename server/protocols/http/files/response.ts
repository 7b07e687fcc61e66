import { type IncomingHttpHeaders, STATUS_CODES } from 'node:http'
import { Failure, failureKind } from '../../../core/failure.ts'
import { httpStatus, retryAfterSeconds } from '../../../core/http-status.ts'
import type { CleanPath } from '../../../files/path.ts'
import type { Part } from '../../../files/send.ts'
import type { Entry } from '../../../files/source.ts'
import { evaluateConditions, rangeHolds } from './conditions.ts'
import { contentTypeOf } from './content-type.ts'
import { type FolderPages, mostEntriesAtOnce } from './folder-pages.ts'
import { errorPage, pageHeaders } from './pages.ts'
import { parseRange, type Span } from './range.ts'

/**
 * A response as a value. `headers` is a flat list of names and values; names are sent in exactly this
 * spelling.
 */
export interface HttpResponse {
  readonly status: number
  readonly headers: readonly string[]
  /** Empty for HEAD. */
  readonly parts: readonly Part[]
  /** The body of a long listing, in blocks, instead of `parts`. Its length is known only at its end. */
  readonly blocks?: Iterable<Buffer>
}

/** A GET or HEAD of a file. */
export interface FileRequest {
  readonly method: 'GET' | 'HEAD'
  readonly path: CleanPath
  readonly headers: IncomingHttpHeaders
  /** Makes the separator of a multipart response: text that no file contains. */
  readonly boundary: () => string
}

/**
 * The response for a file, as a value; the caller writes it.
 *
 * `Content-Length` is always present, and in exactly this spelling: GRUB 2.06 compares the very bytes
 * `Content-Length: `, and takes a response without it for one of unknown size. There is never a
 * Content-Encoding: python-requests would store the unpacked initrd.gz.
 */
export function fileResponse(entry: Entry, request: FileRequest): HttpResponse {
  const result = evaluateConditions(request.headers, entry)
  if (result === 'precondition-failed') return emptyResponse(412, validatorsOf(entry))
  if (result === 'not-modified') return { status: 304, headers: validatorsOf(entry), parts: [] }

  const spans = spansOf(entry, request)
  if (spans === 'unsatisfiable')
    return emptyResponse(416, ['Content-Range', `bytes */${entry.size}`, ...validatorsOf(entry)])
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
  // A page inside a tree must not act with the rights of a person who is signed in to our own pages.
  if (/html|svg|xml/.test(type)) headers.push('Content-Security-Policy', 'sandbox')
  return headers
}

/**
 * A response without a body. Machines get no text: GRUB 2.06 takes the body of a 404 for the file. It also takes the
 * first header after a 404 for another status line (`first_line_recv` in grub-core/net/http.c). Were that the length, it
 * would wait 34 s for the end of the connection; so a header comes first that it can do without.
 */
export function emptyResponse(status: number, headers: readonly string[] = []): HttpResponse {
  const first = headers.includes('Cache-Control') ? [] : ['Cache-Control', 'no-cache']
  return { status, headers: [...first, 'Content-Length', '0', ...headers], parts: [] }
}

/** A folder as a page, or as JSON for scripts that ask for JSON and not for HTML. */
export function folderResponse(
  headers: IncomingHttpHeaders,
  path: CleanPath,
  entries: readonly Entry[],
  pages: FolderPages,
): HttpResponse {
  const form = wantsPage(headers) || !(headers.accept ?? '').includes('application/json') ? 'page' : 'json'
  const ownHeaders = form === 'page' ? pageHeaders : jsonHeaders
  if (entries.length <= mostEntriesAtOnce)
    return bytesResponse(200, ownHeaders, pages.whole(form, path, entries))
  return { status: 200, headers: ownHeaders, parts: [], blocks: pages.blocks(form, path, entries) }
}

const jsonHeaders = ['Content-Type', 'application/json', 'Cache-Control', 'no-cache', 'Vary', 'Accept']

/** A 404: a page with a link to the nearest folder that exists for browsers, no body for machines. */
export function missingResponse(
  headers: IncomingHttpHeaders,
  path: CleanPath,
  nearest?: CleanPath,
): HttpResponse {
  if (!wantsPage(headers)) return machineResponse(headers, 404)
  return pageResponse(404, errorPage('Not found', path, 'There is nothing at this path', nearest))
}

/**
 * The response to a failure. Its message goes to the operator's log alone, because it may name local paths; unless the
 * Failure says that the client may read it.
 */
export function failureResponse(headers: IncomingHttpHeaders, path: CleanPath, error: unknown): HttpResponse {
  const status = httpStatus[failureKind(error)].files
  const title = STATUS_CODES[status] ?? 'Error'
  const told = error instanceof Failure && error.forClient ? error.message : undefined
  const shown = told ?? 'This cannot be served now; the server log says why'
  const machine = told === undefined ? machineResponse(headers, status) : textResponse(status, told)
  const response = wantsPage(headers) ? pageResponse(status, errorPage(title, path, shown)) : machine
  if (status !== 503) return response
  return { ...response, headers: [...response.headers, 'Retry-After', String(retryAfterSeconds)] }
}

/** Whether the client is a browser: only browsers name HTML. */
export function wantsPage({ accept }: IncomingHttpHeaders): boolean {
  return accept?.includes('text/html') ?? false
}

export function bodyLength({ parts }: HttpResponse): number {
  return parts.reduce((sum, part) => sum + part.length, 0)
}

/**
 * An error for a machine: without a body, except for UEFI firmware. EDK2's HTTP driver (OVMF 2022.11) waits
 * for the body of a response whose Content-Length is 0, until the connection ends. shim 16.1 asks for three
 * files that hardly any server has before it asks for GRUB: with empty 404s it waits a minute for each, and
 * then says "Failed to fetch image". Neither program uses the body of an error for anything.
 */
function machineResponse(headers: IncomingHttpHeaders, status: number): HttpResponse {
  if (!headers['user-agent']?.startsWith('UefiHttpBoot')) return emptyResponse(status)
  const bytes = Buffer.from(`${STATUS_CODES[status] ?? 'Error'}\n`, 'latin1')
  return bytesResponse(status, ['Content-Type', 'text/plain; charset=utf-8'], bytes)
}

/** An error in words: for clients that print or keep the body of an error, and for people with curl. */
function textResponse(status: number, text: string): HttpResponse {
  const headers = ['Content-Type', 'text/plain; charset=utf-8', 'X-Content-Type-Options', 'nosniff']
  return bytesResponse(status, [...headers, 'Cache-Control', 'no-store'], Buffer.from(`${text}\n`, 'utf8'))
}

function pageResponse(status: number, html: string): HttpResponse {
  return bytesResponse(status, pageHeaders, Buffer.from(html, 'utf8'))
}

function bytesResponse(status: number, headers: readonly string[], bytes: Buffer): HttpResponse {
  return { status, headers: ['Content-Length', String(bytes.length), ...headers], parts: [bytes] }
}

/**
 * The spans to send. Range is defined for GET alone (RFC 9110 section 14.2): a HEAD describes the whole file.
 */
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

/**
 * What begins something when it is sent must come from here each time, and has secrets of one guest: no cache on the
 * way may keep it (RFC 9111 section 5.2.2.5).
 */
function validatorsOf(entry: Entry): readonly string[] {
  const validators = ['ETag', `"${entry.etag}"`, 'Last-Modified', new Date(entry.modifiedMs).toUTCString()]
  return entry.claim ? [...validators, 'Cache-Control', 'no-store'] : validators
}

function contentRange(span: Span, size: number): string {
  return `bytes ${span.from}-${span.from + span.length - 1}/${size}`
}

function partOf(entry: Entry, span: Span): Part {
  return entry.content?.subarray(span.from, span.from + span.length) ?? span
}

/** A multipart response (RFC 9110 section 14.6), for the lists of ranges that librepo and libzypp ask for. */
function multipart(entry: Entry, type: string, spans: readonly Span[], boundary: string): HttpResponse {
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
