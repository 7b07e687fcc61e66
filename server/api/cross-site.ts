import type { IncomingHttpHeaders } from 'node:http'
import { Failure } from '../core/failure.ts'
import type { Method } from './route.ts'

/** Methods by which nothing changes (RFC 9110 section 9.2.1). */
const safeMethods: ReadonlySet<string> = new Set<Method>(['GET', 'HEAD', 'OPTIONS'])

export function isSafe(method: string): boolean {
  return safeMethods.has(method)
}

/**
 * Why a request comes from a page of another site, and may change nothing: a browser sends it with all rights of the
 * person or machine in front of it, such as an address of our own machine or a cookie that it keeps.
 * Undefined for everything else.
 *
 * `Sec-Fetch-Site` (W3C Fetch Metadata) is the browser's own word, but browsers send it only to `https:` and to
 * loopback addresses. `Origin` comes with every such request. Scripts cannot set either header. Programs such as
 * curl, wget and installers send neither.
 *
 * @param ownUrl `server.url` of the configuration: behind a proxy the Host may be another one.
 */
export function whyCrossSite(
  method: string,
  headers: IncomingHttpHeaders,
  ownUrl: string | undefined,
): string | undefined {
  if (isSafe(method)) return undefined
  const found = otherSite(headers, ownUrl)
  return found && refusal(found)
}

/**
 * For what costs this server something although nothing changes, such as a stream.
 *
 * @throws Failure `forbidden` for a request of a page of another site.
 */
export function requireSameSite(headers: IncomingHttpHeaders, ownUrl: string | undefined): void {
  const found = otherSite(headers, ownUrl)
  if (found !== undefined)
    throw new Failure('forbidden', `a page of another site sent this request (${found}); send a token`)
}

/** The header by which a request comes from a page of another site. */
function otherSite(headers: IncomingHttpHeaders, ownUrl: string | undefined): string | undefined {
  const { 'sec-fetch-site': site, origin, host = '' } = headers
  if (site === 'same-origin' || site === 'none') return undefined
  if (site !== undefined) return `Sec-Fetch-Site: ${site}`
  if (origin === undefined || isOwn(origin, host, ownUrl)) return undefined
  return `Origin: ${origin}`
}

function isOwn(origin: string, host: string, ownUrl: string | undefined): boolean {
  // `null` is the origin of sandboxed pages: those in trees have it, too.
  if (!URL.canParse(origin)) return false
  const { host: asked, origin: canonical } = new URL(origin)
  if (ownUrl !== undefined && new URL(ownUrl).origin === canonical) return true
  // The default port may be written or not.
  const own = ['http', 'https'].map((scheme) => `${scheme}://${host}`).filter((url) => URL.canParse(url))
  return own.some((url) => new URL(url).host === asked)
}

function refusal(found: string): string {
  return `a page of another site sent this request (${found}), and such requests may not change anything; use the command line or a page of this server`
}
