import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { defined } from '../../core/defined.ts'
import { Failure, failureMessage } from '../../core/failure.ts'
import { upstreamLimits } from '../../core/limits/upstreams.ts'
import { type AddressGuard, RefusedAddress } from './address-guard.ts'
import { codingOf, decoded } from './content-coding.ts'
import { discard, HttpClient } from './http-client.ts'
import { namesOnPage } from './index-page.ts'
import { connectionFailure } from './network-faults.ts'
import {
  type GetOptions,
  type RemoteBody,
  type RemoteName,
  TransientFailure,
  type Upstream,
} from './upstream.ts'

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
  readonly #client: HttpClient

  constructor(url: string, guard?: AddressGuard) {
    this.#client = new HttpClient(guard)
    this.url = url.endsWith('/') ? url : `${url}/`
  }

  async get(path: string, options: GetOptions): Promise<RemoteBody | undefined> {
    const { start, validator, signal } = options
    const headers = start > 0 ? defined({ range: `bytes=${start}-`, 'if-range': validator }) : {}
    const { message, status, at } = await this.#request(path, headers, signal)
    const coding = codingOf(message, path)
    if (status === 200) return coding === undefined ? wholeBody(message) : decodedBody(message, coding, at)
    const part = status === 206 ? fittingPart(message, coding, validator) : undefined
    if (part) return part
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

  async list(path: string, signal?: AbortSignal): Promise<readonly RemoteName[] | undefined> {
    const folder = path === '' || path.endsWith('/') ? path : `${path}/`
    const { message, status, at } = await this.#request(folder, { accept: 'text/html' }, signal)
    if (status !== 200 || !/html/i.test(String(message.headers['content-type'] ?? ''))) {
      // Not `discard`, which reads a body of unknown length to its end: here it may be a whole image.
      message.on('error', () => undefined).destroy()
      if (status === 200 || isMissing(status)) return undefined
      throw failureOf(at, status, message.headers)
    }
    const coding = codingOf(message, '')
    const body = coding === undefined ? message : decoded(message, coding, at.href)
    const page = await textOf(body, maxListingBytes).catch((error: unknown) => {
      if (error instanceof Failure || signal?.aborted) throw error
      throw new TransientFailure(`${at.href}: ${failureMessage(error)}`, { cause: error })
    })
    return namesOnPage(page, at).map((name) => ({ name }))
  }

  async close(): Promise<void> {
    this.#client.close()
  }

  /**
   * Asks with every reserved character escaped, as librepo does since 1.16: S3 takes `+` for a blank. Some servers
   * (pulp) know no `%2B`, so what is not there is asked for once more, with those that a path may have as they are.
   */
  async #request(path: string, headers: Record<string, string>, signal?: AbortSignal): Promise<HttpResponse> {
    const escaped = path.split('/').map(encodeURIComponent).join('/')
    const plain = escaped.replace(/%(?:24|26|2B|2C|3A|3B|3D|40)/g, decodeURIComponent)
    const response = await this.#requestAt(new URL(escaped, this.url), headers, signal)
    if (plain === escaped || !isMissing(response.status)) return response
    discard(response.message)
    // `./`: a name with a colon would be a URL of its own.
    return this.#requestAt(new URL(`./${plain}`, this.url), headers, signal)
  }

  async #requestAt(from: URL, headers: Record<string, string>, signal?: AbortSignal): Promise<HttpResponse> {
    let at = from
    for (let hop = 0; hop < maxRedirects; hop++) {
      const sent = { 'user-agent': 'treeboot', 'accept-encoding': 'identity', ...headers }
      const message = await this.#client.get(at, sent, signal).catch((error: unknown) => {
        if (signal?.aborted || error instanceof RefusedAddress) throw error
        throw connectionFailure(at.href, error)
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

/** Without size and validator: both belong to the compressed bytes, so the file cannot be resumed. */
function decodedBody(message: IncomingMessage, coding: string, at: URL): RemoteBody {
  const { modifiedMs } = wholeBody(message)
  return { start: 0, body: decoded(message, coding, at.href), ...defined({ modifiedMs }) }
}

function wholeBody(message: IncomingMessage): RemoteBody {
  return remoteBody(message, 0, Number(message.headers['content-length'] ?? Number.NaN))
}

/**
 * The part that was asked for; undefined when it does not fit to the bytes that we have. The positions of a coded
 * one are those of the compressed bytes, and a server that ignores If-Range may send a part of another file.
 */
function fittingPart(
  message: IncomingMessage,
  coding: string | undefined,
  validator: string | undefined,
): RemoteBody | undefined {
  if (coding !== undefined) return undefined
  const body = partialBody(message)
  return validator === undefined || (body.validator ?? validator) === validator ? body : undefined
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
async function textOf(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of body) {
    length += piece.length
    if (length > maxBytes) throw new Failure('too-large', `a listing of more than ${maxBytes} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

async function* noBytes(): AsyncGenerator<Uint8Array> {}
