import { Failure, failureMessage } from '../../core/failure.ts'
import { discard, HttpClient } from './http-client.ts'
import { isPlainName, type RemoteBody, Trouble, type Upstream, type Wanted } from './upstream.ts'

const maxListingBytes = 16 * 1024 * 1024

/** A tree on a web server. Redirects are followed, as mirror networks answer with them. */
export function httpUpstream(given: string): Upstream {
  const url = given.endsWith('/') ? given : `${given}/`
  const client = new HttpClient()

  async function ask(path: string, headers: Record<string, string>, signal?: AbortSignal) {
    let at = new URL(encodePath(path), url)
    for (let hop = 0; hop < 10; hop++) {
      const wanted = { 'user-agent': 'treeboot', 'accept-encoding': 'identity', ...headers }
      const answer = await client.get(at, wanted, signal).catch((error: unknown) => {
        if (signal?.aborted) throw error
        throw new Trouble(`${at.href}: ${failureMessage(error)}`, { isOfServer: true, cause: error })
      })
      const { location } = answer.headers
      const status = answer.statusCode ?? 0
      if (status < 300 || status > 399 || location === undefined) return { answer, status, at }
      discard(answer)
      if (!URL.canParse(location, at.href))
        throw new Trouble(`${at.href} leads to ${location}, which is no URL`)
      at = new URL(location, at)
    }
    throw new Trouble(`${at.href}: more than 10 redirections`)
  }

  async function get(path: string, { start, validator, signal }: Wanted): Promise<RemoteBody | undefined> {
    const resume: Record<string, string> = start > 0 ? { range: `bytes=${start}-` } : {}
    if (start > 0 && validator !== undefined) resume['if-range'] = validator
    const { answer, status: statusCode, at } = await ask(path, resume, signal)
    const { headers } = answer
    if (statusCode === 200 || statusCode === 206) {
      const [, first, total] =
        /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(String(headers['content-range'] ?? '')) ?? []
      const length = Number(headers['content-length'] ?? Number.NaN)
      const size = statusCode === 206 ? Number(total) : length
      const modifiedMs = Date.parse(String(headers['last-modified'] ?? ''))
      const tag = String(headers.etag ?? '')
      const strong = tag !== '' && !tag.startsWith('W/') ? tag : undefined
      return {
        start: statusCode === 206 ? Number(first ?? 0) : 0,
        body: answer,
        ...(Number.isSafeInteger(size) && { size }),
        ...(Number.isFinite(modifiedMs) && { modifiedMs }),
        ...(strong !== undefined && { validator: strong }),
      }
    }
    discard(answer)
    if (statusCode === 404 || statusCode === 410) return undefined
    if (statusCode === 416 && start > 0) {
      // If-Range matched, or this would be 200: the same file, and nothing of it is missing.
      const whole = String(headers['content-range'] ?? '') === `bytes */${start}`
      if (whole && validator !== undefined) return { start, size: start, validator, body: nothing() }
      // Longer than the file is now: from the start.
      return get(path, { start: 0, ...(signal && { signal }) })
    }
    throw refusal(at, statusCode, headers['retry-after'])
  }

  return {
    url,
    get,
    async list(path, signal) {
      const folder = path === '' || path.endsWith('/') ? path : `${path}/`
      const { answer, status: statusCode, at } = await ask(folder, { accept: 'text/html' }, signal)
      const { headers } = answer
      const isPage = statusCode === 200 && /html/i.test(String(headers['content-type'] ?? ''))
      const page = await pageOf(answer, isPage ? maxListingBytes : 0).catch((error: unknown) => {
        if (error instanceof Failure || signal?.aborted) throw error
        throw new Trouble(`${at.href}: ${failureMessage(error)}`, { cause: error })
      })
      if (isPage) return namesOnPage(page, at)
      if (statusCode === 200 || statusCode === 404 || statusCode === 410) return undefined
      throw refusal(at, statusCode, headers['retry-after'])
    },
    close: async () => client.close(),
  }
}

/** What is left of a status that is no answer. Of the 4xx only these few may be another a little later. */
function refusal(at: URL, status: number, retryAfter: string | string[] | undefined): Failure {
  const message = `${at.href} answers ${status}`
  if (status >= 400 && status < 500 && ![408, 425, 429].includes(status))
    return new Failure('forbidden', message)
  const isOfServer = retryAfter !== undefined || [429, 502, 503, 504].includes(status)
  return new Trouble(message, { retryAfterMs: retryAfterMs(retryAfter), isOfServer })
}

/** @throws Failure `too-large`: half a listing would be half a tree. With 0 nothing is read. */
async function pageOf(body: AsyncIterable<Buffer>, atMostBytes: number): Promise<string> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of body) {
    if (atMostBytes === 0) break
    length += piece.length
    if (length > atMostBytes) throw new Failure('too-large', `a listing of more than ${atMostBytes} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

/** Seconds or a date (RFC 9110 section 10.2.3). */
function retryAfterMs(header: string | string[] | undefined): number | undefined {
  const text = [header ?? ''].flat()[0] ?? ''
  if (/^\d+$/.test(text)) return Number(text) * 1000
  const date = Date.parse(text)
  return Number.isFinite(date) ? Math.max(0, date - Date.now()) : undefined
}

/**
 * What an index page links to directly below itself. Apache, nginx, lighttpd, Python and we ourselves all write one
 * link for each name; links for sorting (`?C=M`), to the parent and to elsewhere are passed over.
 */
export function namesOnPage(page: string, at: URL): readonly string[] {
  const base = at.pathname.endsWith('/') ? at : new URL(`${at.pathname}/`, at)
  const names = new Set<string>()
  for (const [, double, single] of page.matchAll(/<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')/gi)) {
    const href = (double ?? single ?? '')
      .replaceAll('&amp;', '&')
      .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
    if (href === '' || /[?#]/.test(href) || !URL.canParse(href, base.href)) continue
    const target = new URL(href, base)
    if (target.origin !== base.origin || !target.pathname.startsWith(base.pathname)) continue
    const name = decode(target.pathname.slice(base.pathname.length))
    if (name !== undefined && isPlainName(name)) names.add(name)
  }
  return [...names].sort()
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
