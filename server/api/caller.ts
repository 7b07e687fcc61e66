import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Accounts } from '../accounts/accounts.ts'
import { anyUser } from '../accounts/may-upload.ts'
import { type Caller, type Need, type Role, whyNotAllowed } from '../core/access/access.ts'
import { Failure } from '../core/failure.ts'
import type { Network } from '../core/net/network.ts'
import { cookieNames, cookieValue } from './cookies.ts'
import { isSafe, whyCrossSite } from './cross-site.ts'
import type { Route } from './route.ts'

/** The header by which a page of ours shows that it is one: scripts of other sites can neither read nor send it. */
export const csrfHeader = 'x-csrf-token'

/** The cookie of a session. */
export const sessionCookie = cookieNames('treeboot-session')

/** What a request is judged by. */
export interface AccessContext {
  readonly accounts: Pick<Accounts, 'callerOfToken' | 'callerOfSession'>
  /** The address of the client. */
  readonly from: string
  /** The role of somebody without credentials; undefined: none. */
  readonly anonymous: Role | undefined
  /** `server.url` of the configuration. */
  readonly ownUrl: string | undefined
  /** The proxies that say whether the browser came by TLS. */
  readonly proxies: readonly Network[]
  /** Why the name by which the request reaches this server is not one of its names. */
  readonly whyMisdirected: () => string | undefined
}

/**
 * Who sends a request to a route, when it may be sent. The rules, in this order: a token in `Authorization: Bearer`
 * is enough by itself, since no browser sends one by itself. All others must name this server as it is called, so
 * that no page gets here by a name of its own (DNS rebinding). A change must not come from a page of another site, and
 * by a session it needs the CSRF header.
 *
 * @throws Failure `unauthenticated`, `forbidden` or `misdirected`.
 */
export async function requireCaller(
  { access }: Pick<Route, 'access'>,
  req: IncomingMessage,
  context: AccessContext,
): Promise<Caller | undefined> {
  if (access === 'everybody') {
    refuseCrossSite(req, context)
    return hasCredentials(req.headers) || context.anonymous !== undefined
      ? identify(req, context).catch(() => undefined)
      : undefined
  }
  const caller = await identify(req, context)
  if (caller === undefined) throw new Failure('unauthenticated', signInText(req))
  const why = whyNotAllowed(caller, access)
  if (why === undefined) return caller
  if (caller.kind === 'anonymous') throw new Failure('unauthenticated', `${why}; sign in, or send a token`)
  throw new Failure('forbidden', isOnceOpen(access, req) ? `${why}; ${openText}, without a token` : why)
}

const openText = 'access.anonymous: viewer in config.yaml lets everybody read'

/** What everybody could read before there were accounts: old scripts send the token for uploads with it. */
function isOnceOpen({ role, scope }: Need, { method = '' }: IncomingMessage): boolean {
  return isSafe(method) && role === 'viewer' && scope !== 'answers:reveal'
}

function signInText({ method = '' }: IncomingMessage): string {
  const how = "send 'Authorization: Bearer TOKEN' (treeboot tokens add makes one), or sign in with a browser"
  return isSafe(method) ? `who are you? ${how}; ${openText}` : `who are you? ${how}`
}

/** @throws Failure `unauthenticated` for credentials that are wrong, `misdirected`, `forbidden` for another site. */
async function identify(req: IncomingMessage, context: AccessContext): Promise<Caller | undefined> {
  const { headers } = req
  const bearer = bearerToken(headers)
  if (bearer !== undefined) return callerOfToken(bearer, context)
  const why = context.whyMisdirected()
  if (why !== undefined) throw new Failure('misdirected', why)
  refuseCrossSite(req, context)
  const basic = basicCredentials(headers)
  if (basic) {
    const caller = await callerOfToken(basic.password, context)
    if (basic.user === anyUser || basic.user === caller.account) return caller
    throw new Failure('unauthenticated', `that is not a token of ${basic.user}`)
  }
  return (await callerOfSession(req, context)) ?? anonymousCaller(context)
}

async function callerOfToken(token: string, { accounts, from }: AccessContext): Promise<Caller> {
  const caller = await accounts.callerOfToken(token, from)
  if (caller) return caller
  throw new Failure('unauthenticated', 'this token is not known here, has expired, or was revoked')
}

async function callerOfSession(
  req: IncomingMessage,
  { accounts, from, proxies }: AccessContext,
): Promise<Caller | undefined> {
  const { method = '', headers } = req
  const id = sessionId(req, proxies)
  const session = id === undefined ? undefined : await accounts.callerOfSession(id, from)
  if (!session) return undefined
  if (!isSafe(method) && !isSame(session.csrf, headers[csrfHeader]))
    throw new Failure('forbidden', `the header ${csrfHeader} is missing or is not the one of this session`)
  return session.caller
}

function anonymousCaller({ anonymous }: AccessContext): Caller | undefined {
  return anonymous && { kind: 'anonymous', account: 'anonymous', role: anonymous }
}

function refuseCrossSite({ method = '', headers }: IncomingMessage, { ownUrl }: AccessContext): void {
  if (bearerToken(headers) !== undefined) return
  const why = whyCrossSite(method, headers, ownUrl)
  if (why !== undefined) throw new Failure('forbidden', why)
}

/**
 * Looks once more whether the credentials of a request still make the same caller. Undefined when they do not, else the
 * reference of the session, where it is one.
 * For a session it counts as its use.
 */
export async function callerStill(
  caller: Caller,
  req: IncomingMessage,
  { accounts, from, proxies }: Pick<AccessContext, 'accounts' | 'from' | 'proxies'>,
): Promise<{ readonly session?: string } | undefined> {
  const { headers } = req
  const same = (now: Caller | undefined): boolean => JSON.stringify(now) === JSON.stringify(caller)
  if (caller.kind === 'token') {
    const token = bearerToken(headers) ?? basicCredentials(headers)?.password ?? ''
    return same(await accounts.callerOfToken(token, from)) ? {} : undefined
  }
  const id = sessionId(req, proxies)
  const found = id === undefined ? undefined : await accounts.callerOfSession(id, from)
  return found && same(found.caller) ? { session: found.session } : undefined
}

function hasCredentials({ authorization, cookie }: IncomingHttpHeaders): boolean {
  return authorization !== undefined || cookie !== undefined
}

function bearerToken({ authorization = '' }: IncomingHttpHeaders): string | undefined {
  return /^\s*bearer\s+(\S+)\s*$/i.exec(authorization)?.[1]
}

/**
 * The credentials of curl -u and old scripts. A browser that sends some was asked by somebody else, or remembers them:
 * it counts only on its own word that the request comes from nobody else's page.
 */
function basicCredentials(headers: IncomingHttpHeaders): { user: string; password: string } | undefined {
  const [, value = ''] = /^\s*basic\s+(\S+)\s*$/i.exec(headers.authorization ?? '') ?? []
  const site = headers['sec-fetch-site']
  if (value === '' || (site !== undefined && site !== 'none' && site !== 'same-origin')) return undefined
  const text = Buffer.from(value, 'base64').toString('utf8')
  const cut = text.indexOf(':')
  return cut < 0 ? undefined : { user: text.slice(0, cut), password: text.slice(cut + 1) }
}

/** The id in the cookie of the session. */
export function sessionId(req: IncomingMessage, proxies: readonly Network[]): string | undefined {
  return cookieValue(req, sessionCookie, proxies)
}

function isSame(expected: string, given: string | readonly string[] | undefined): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return typeof given === 'string' && timingSafeEqual(digest(expected), digest(given))
}
