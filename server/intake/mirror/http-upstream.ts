import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { defined } from '../../core/defined.ts'
import { Failure, failureMessage } from '../../core/failure.ts'
import { upstreamLimits } from '../../core/limits/upstreams.ts'
import { discard, HttpClient } from './http-client.ts'
import { namesOnPage } from './index-page.ts'
import { type GetOptions, type RemoteBody, TransientFailure, type Upstream } from './upstream.ts'

const maxListingBytes = upstreamLimits.indexPage.bytes
const maxRedirects = upstreamLimits.redirects.entries

/** A response, and the URL that it came from after redirects. */
interface HttpResponse {
  readonly message: IncomingMessage
  readonly status: number
  readonly at: URL
}

/** A tree on a web server. Redirects are followed, since mirror networks answer with them. */
export class HttpUpstream implements Upstream {
  readonly url: string
  readonly #client = new HttpClient()

  constructor(url: string) {
    this.url = url.endsWith('/') ? url : `${url}/`
  }

  async get(path: string, options: GetOptions): Promise<RemoteBody | undefined> {
    const { start, validator, signal } = options
    const headers = start > 0 ? defined({ range: `bytes=${start}-`, 'if-range': validator }) : {}
    const { message, status, at } = await this.#request(path, headers, signal)
    if (status === 200) return wholeBody(message)
    if (status === 206) {
      const body = partialBody(message)
      // A server that ignores If-Range sent this part: it belongs to another file than the bytes we have.
      const isOtherFile = validator !== undefined && (body.validator ?? validator) !== validator
      if (!isOtherFile) return body
    }
    discard(message)
    if (isMissing(status)) return undefined
    if (status === 416 && start > 0 && validator !== undefined && isAllOf(message.headers, start))
      // If-Range matched, else the status would be 200: the file is the same, and we have every byte of it.
      return { start, size: start, validator, body: noBytes() }
    // The file is shorter than the bytes we have, or is another file: it is fetched from its first byte.
    if ((status === 416 || status === 206) && start > 0)
      return this.get(path, { start: 0, ...defined({ signal }) })
    throw failureOf(at, status, message.headers)
  }

  async list(path: string, signal?: AbortSignal): Promise<readonly string[] | undefined> {
    const folder = path === '' || path.endsWith('/') ? path : `${path}/`
    const { message, status, at } = await this.#request(folder, { accept: 'text/html' }, signal)
    if (status !== 200 || !/html/i.test(String(message.headers['content-type'] ?? ''))) {
      // Not `discard`, which reads a body of unknown length to its end: here it may be a whole image.
      message.on('error', () => undefined).destroy()
      if (status === 200 || isMissing(status)) return undefined
      throw failureOf(at, status, message.headers)
    }
    const page = await textOf(message, maxListingBytes).catch((error: unknown) => {
      if (error instanceof Failure || signal?.aborted) throw error
      throw new TransientFailure(`${at.href}: ${failureMessage(error)}`, { cause: error })
    })
    return namesOnPage(page, at)
  }

  async close(): Promise<void> {
    this.#client.close()
  }

  async #request(path: string, headers: Record<string, string>, signal?: AbortSignal): Promise<HttpResponse> {
    let at = new URL(path.split('/').map(encodeURIComponent).join('/'), this.url)
    for (let hop = 0; hop < maxRedirects; hop++) {
      const sent = { 'user-agent': 'treeboot', 'accept-encoding': 'identity', ...headers }
      const message = await this.#client.get(at, sent, signal).catch((error: unknown) => {
        if (signal?.aborted) throw error
        throw new TransientFailure(`${at.href}: ${failureMessage(error)}`, { isOfServer: true, cause: error })
      })
      const { location } = message.headers
      const status = message.statusCode ?? 0
      if (status < 300 || status > 399 || location === undefined) return { message, status, at }
      discard(message)
      if (!URL.canParse(location, at.href))
        throw new TransientFailure(`${at.href} redirects to ${location}, which is not a URL`)
      at = new URL(location, at)
    }
    throw new TransientFailure(`${at.href}: more than ${maxRedirects} redirects`)
  }
}

function wholeBody(message: IncomingMessage): RemoteBody {
  return remoteBody(message, 0, Number(message.headers['content-length'] ?? Number.NaN))
}

/** `Content-Range: bytes 5-19/20`, or `/*` when the server does not know the size (RFC 9110 section 14.4). */
function partialBody(message: IncomingMessage): RemoteBody {
  const range = String(message.headers['content-range'] ?? '')
  const [, first, size] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range) ?? []
  if (first === undefined) {
    message.on('error', () => undefined).destroy()
    throw new TransientFailure(`a part of the file came with Content-Range ${JSON.stringify(range)}`)
  }
  return remoteBody(message, Number(first), Number(size))
}

function remoteBody(message: IncomingMessage, start: number, size: number): RemoteBody {
  const { etag = '', 'last-modified': lastModified = '' } = message.headers
  const modifiedMs = Date.parse(lastModified)
  return {
    start,
    body: message,
    ...defined({
      size: Number.isSafeInteger(size) ? size : undefined,
      modifiedMs: Number.isFinite(modifiedMs) ? modifiedMs : undefined,
      // A weak ETag must not be used with ranges (RFC 9110 section 13.1.5).
      validator: etag !== '' && !etag.startsWith('W/') ? etag : undefined,
    }),
  }
}

/** Whether the file does not exist. 410: it was removed for good. */
function isMissing(status: number): boolean {
  return status === 404 || status === 410
}

/** For a response 416: whether the file has exactly this many bytes. */
function isAllOf(headers: IncomingHttpHeaders, bytes: number): boolean {
  return headers['content-range'] === `bytes */${bytes}`
}

/** Maps an error status: 408, 425 and 429 are retried, other 4xx are final. */
function failureOf(at: URL, status: number, { 'retry-after': retryAfter }: IncomingHttpHeaders): Failure {
  const message = `${at.href} answers ${status}`
  if (status >= 400 && status < 500 && ![408, 425, 429].includes(status))
    return new Failure('forbidden', message)
  const isOfServer = retryAfter !== undefined || [429, 502, 503, 504].includes(status)
  return new TransientFailure(message, { retryAfterMs: retryAfterMs(retryAfter), isOfServer })
}

/** `Retry-After` in milliseconds from now. It holds seconds or a date (RFC 9110 section 10.2.3). */
function retryAfterMs(header = ''): number | undefined {
  if (/^\d+$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isFinite(date) ? Math.max(0, date - Date.now()) : undefined
}

/** Reads a listing. A longer one is a Failure `too-large`, since half a listing would give half a tree. */
async function textOf(body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of body) {
    length += piece.length
    if (length > maxBytes) throw new Failure('too-large', `a listing of more than ${maxBytes} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

async function* noBytes(): AsyncGenerator<Uint8Array> {}
