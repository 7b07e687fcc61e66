import type { IncomingMessage } from 'node:http'
import { longestSignIn } from '../../accounts/oidc/oidc-sign-in.ts'
import { Failure, failureKind } from '../../core/failure.ts'
import { whyForeignHost } from '../../core/net/own-names.ts'
import { ownPath } from '../../core/net/own-path.ts'
import { sessionCookie } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { cookieNames, cookieValue, isOverTls, setCookie } from '../cookies.ts'
import { askedHost } from '../own-host.ts'
import { refusalPage, refusalPageHeaders } from '../pages/refusal-page.ts'
import { failureReply } from '../problem.ts'
import type { Reply } from '../reply.ts'
import { type Call, type Route, route } from '../route.ts'

const path = '/api/v1/session/oidc'
const callbackPath = `${path}/callback`
/** What the provider has to send back, until it does. */
const flowCookie = cookieNames('treeboot-oidc')
/** The address of the way back has the code: no cache keeps it, and no other page is told of it. */
const redirectHeaders = { 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' }

/**
 * Signing in by the OpenID provider of `access.oidc`. Browsers are led through it, so programs have no operation of it in the
 * description: they have tokens.
 */
export const oidcRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path,
    summary: 'leads the browser to the OpenID provider',
    access: 'everybody',
    answers: { 303: {} },
    handle: (call, context) => forBrowser(call, 'oidc', () => begin(call, context)),
  }),
  route({
    method: 'GET',
    path: callbackPath,
    summary: 'ends a sign-in by the OpenID provider, and sets the cookie of the session',
    access: 'everybody',
    answers: { 303: {} },
    handle: (call, context) => forBrowser(call, '../oidc', () => finish(call, context)),
  }),
]

async function begin({ req, res, who }: Call, context: ApiContext): Promise<Reply<never>> {
  context.accounts.oidc.requireProvider()
  const { server, http } = context.snapshot().config
  const query = queryOf(req)
  const home = ownPath(query.get('return') ?? '/')
  if (home === undefined)
    throw new Failure('bad-request', 'return: expected a path of this server, such as /trees/')
  const here = askedUrl({ req, who }, context)
  const base = server.url ?? here
  // The cookie must be one of the host that the provider sends the browser back to. A proxy may hide by which name we were
  // asked: whoever was moved once stays.
  if (base === undefined) throw new Failure('misdirected', whyNoAddress({ req, who }, context))
  const isElsewhere = here === undefined || new URL(here).host !== new URL(base).host
  if (isElsewhere && !query.has('moved')) {
    const moved = new URLSearchParams({ moved: '1', return: home })
    return { status: 303, headers: { ...redirectHeaders, Location: `${base}${path}?${moved}` } }
  }
  const { pathname } = new URL(base)
  const prefix = pathname.replace(/\/$/, '')
  const { location, cookie } = await context.accounts.oidc.begin(`${base}${callbackPath}`, `${prefix}${home}`)
  const proxies = http.trustedProxies
  res.appendHeader('Set-Cookie', setCookie(req, flowCookie, cookie, { proxies, maxAge: longestSignIn }))
  return { status: 303, headers: { ...redirectHeaders, Location: location } }
}

async function finish({ req, res, from }: Call, { accounts, snapshot }: ApiContext): Promise<Reply<never>> {
  const proxies = snapshot().config.http.trustedProxies
  const cookie = cookieValue(req, flowCookie, proxies)
  // It is good for one time.
  res.appendHeader('Set-Cookie', setCookie(req, flowCookie, '', { proxies, maxAge: 0 }))
  const { session, home } = await accounts.oidc.finish(queryOf(req).toString(), cookie, from)
  res.appendHeader('Set-Cookie', setCookie(req, sessionCookie, session.id, { proxies }))
  return { status: 303, headers: { ...redirectHeaders, Location: home } }
}

/** Where the browser asked, when that is a name or an address of this server. */
function askedUrl({ req, who }: Pick<Call, 'req' | 'who'>, context: ApiContext): string | undefined {
  const { trustedProxies } = context.snapshot().config.http
  const host = askedHost(req, who.address, trustedProxies)
  if (host === undefined || whyForeign(host, context) !== undefined) return undefined
  const url = `${isOverTls(req, trustedProxies) ? 'https' : 'http'}://${host}`
  return URL.canParse(url) ? new URL(url).origin : undefined
}

function whyNoAddress({ req, who }: Pick<Call, 'req' | 'who'>, context: ApiContext): string {
  const host = askedHost(req, who.address, context.snapshot().config.http.trustedProxies)
  return (
    whyForeign(host, context) ??
    'the request does not say by which name it reaches this server; set server.url'
  )
}

function whyForeign(host: string | undefined, { snapshot, machineNames }: ApiContext): string | undefined {
  const { url, names: configured } = snapshot().config.server
  return whyForeignHost(host, { machine: machineNames(), url, configured })
}

function queryOf({ url = '' }: IncomingMessage): URLSearchParams {
  const cut = url.indexOf('?')
  return new URLSearchParams(cut < 0 ? '' : url.slice(cut + 1))
}

/** A person in front of a browser gets a page, and a program the problem document. */
async function forBrowser(
  { req }: Call,
  again: string,
  work: () => Promise<Reply<never>>,
): Promise<Reply<never>> {
  try {
    return await work()
  } catch (error) {
    const isPerson = req.headers.accept?.includes('text/html') ?? false
    if (!isPerson || failureKind(error) === 'internal') throw error
    const { status, headers, json } = failureReply(error, () => {})
    return { status, headers: { ...headers, ...refusalPageHeaders }, text: refusalPage(json.detail, again) }
  }
}
