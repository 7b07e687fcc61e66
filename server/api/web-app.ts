import type { IncomingMessage, ServerResponse } from 'node:http'
import express from 'express'
import { failureMessage } from '../core/failure.ts'
import { kindOfRefusal, type RefusedRequest } from '../core/http-status.ts'
import { forwardedClient } from '../core/net/forwarded.ts'
import { isInNetworks } from '../core/net/network.ts'
import { whyForeignHost } from '../core/net/own-names.ts'
import type { Requester } from '../core/net/requester.ts'
import { PublicKeys } from '../verify/signatures/public-keys.ts'
import type { AccessContext } from './caller.ts'
import type { ApiContext } from './context.ts'
import { GuestSummaries } from './guest-summaries.ts'
import { LookupResponses } from './lookup-responses.ts'
import { askedHost } from './own-host.ts'
import { type OnFault, problemReply } from './problem.ts'
import { lookupFirst } from './resources/lookup.ts'
import { routerOf } from './router.ts'
import { routes } from './routes.ts'
import { Turns } from './turns.ts'

export { isAppPath } from './routes.ts'

/**
 * What the API says of a request that never comes to it. Undefined when the target is that of a file. A head that could not
 * be read may be meant for the API, too.
 */
export function refuseRequest({
  status,
  message,
  target,
}: RefusedRequest): { status: number; headers: Record<string, string>; body: string } | undefined {
  if (target !== undefined && !/^(?:https?:\/\/[^/?]*)?\/api(?:[/?]|$)/i.test(target)) return undefined
  const { headers, json } = problemReply(kindOfRefusal[status], message)
  // GRUB 2.06 takes the first header of some errors for a status line; see `emptyResponse`.
  return {
    status,
    headers: { 'Cache-Control': 'no-cache', ...headers },
    body: JSON.stringify({ ...json, status }),
  }
}

/** The API and the front page, on Express. Requests for files of the namespace never come here. */
export function webApp(
  parts: Omit<ApiContext, 'lookupCache' | 'guestSummaries' | 'publicKeys' | 'turns'>,
): (req: IncomingMessage, res: ServerResponse, who: Requester, onSending: () => void) => void {
  const context: ApiContext = {
    ...parts,
    lookupCache: new LookupResponses(),
    guestSummaries: new GuestSummaries(),
    publicKeys: new PublicKeys(),
    turns: new Turns(),
  }
  const onFault: OnFault = (error, where) =>
    parts.events({ type: 'trouble', where, message: failureMessage(error) })
  /** What the HTTP listener knows of each request: Express passes on only the request. */
  const known = new WeakMap<IncomingMessage, { who: Requester; onSending: () => void }>()
  const knownOf = (req: IncomingMessage) => {
    const found = known.get(req)
    if (!found) throw new TypeError('this request did not come from the HTTP listener')
    return found
  }
  const requesterOf = (req: IncomingMessage): Requester => knownOf(req).who
  const onSendingOf = (req: IncomingMessage): (() => void) => knownOf(req).onSending
  const accessOf = ({ address }: Requester, { headers }: IncomingMessage): AccessContext => {
    const { server, access, http } = parts.snapshot().config
    const isProxied = isInNetworks(address, http.trustedProxies)
    const forwarded = isProxied ? forwardedClient(headers['x-forwarded-for'], http.trustedProxies) : undefined
    const names = { machine: parts.machineNames(), url: server.url, configured: server.names }
    return {
      accounts: parts.accounts,
      from: forwarded ?? address,
      anonymous: access.anonymous === 'viewer' ? 'viewer' : undefined,
      ownUrl: server.url,
      proxies: http.trustedProxies,
      whyMisdirected: () => whyForeignHost(askedHost({ headers }, address, http.trustedProxies), names),
    }
  }
  const app = express()
  app.disable('x-powered-by')
  app.set('query parser', 'simple')
  app.set('trust proxy', false)
  // An entity tag is that of a file, which `If-Match` names; what a response looks like has none.
  app.set('etag', false)
  app.use(routerOf({ routes, context, onFault, requesterOf, onSendingOf, accessOf }))
  const lookup = lookupFirst(context, onFault)
  return (req, res, who, onSending) => {
    if (lookup(req, res, who)) return
    known.set(req, { who, onSending })
    app(req, res)
  }
}
