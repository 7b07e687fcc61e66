import type { IncomingMessage } from 'node:http'
import { plainAddress } from '../core/net/address.ts'
import { isInNetworks, type Network } from '../core/net/network.ts'

/** The names of a cookie; under TLS with the prefix that browsers guard (RFC 6265bis, 4.1.3.2). */
export interface CookieNames {
  readonly plain: string
  readonly secure: string
}

export function cookieNames(name: string): CookieNames {
  return { plain: name, secure: `__Host-${name}` }
}

/** Whether the browser reached us by TLS: ours, or that of a proxy that we trust. */
export function isOverTls({ socket, headers }: IncomingMessage, proxies: readonly Network[]): boolean {
  if ('encrypted' in socket && socket.encrypted === true) return true
  const proto = [headers['x-forwarded-proto'] ?? ''].flat().join(',').split(',').at(-1)?.trim()
  return proto === 'https' && isInNetworks(plainAddress(socket.remoteAddress ?? ''), proxies)
}

/**
 * The value of a cookie. Under TLS only that with the prefix counts: a page on another host of the same domain, or on plain
 * HTTP, can set the other one.
 */
export function cookieValue(
  req: IncomingMessage,
  names: CookieNames,
  proxies: readonly Network[],
): string | undefined {
  const { cookie = '' } = req.headers
  const pairs = cookie.split(';').map((pair) => pair.trim().split('='))
  const wanted = isOverTls(req, proxies) ? names.secure : names.plain
  return pairs.find(([key]) => key === wanted)?.[1]
}

export interface CookieOptions {
  readonly proxies: readonly Network[]
  /** In seconds; 0 removes the cookie. Default: until the browser is closed. */
  readonly maxAge?: number
}

/**
 * The value of `Set-Cookie`. `Lax`: it also comes with a link of another site that leads here, such as the way back from an
 * OpenID provider, and with nothing else from there.
 */
export function setCookie(
  req: IncomingMessage,
  names: CookieNames,
  value: string,
  { proxies, maxAge }: CookieOptions,
): string {
  const isSecure = isOverTls(req, proxies)
  const rest = ['Path=/', 'HttpOnly', 'SameSite=Lax', ...(isSecure ? ['Secure'] : [])]
  const end = maxAge === undefined ? [] : [`Max-Age=${maxAge}`]
  return [`${isSecure ? names.secure : names.plain}=${value}`, ...rest, ...end].join('; ')
}
