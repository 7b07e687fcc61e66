import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { lookupKeys } from '../../core/lookup/query.ts'
import type { Requester } from '../../core/net/requester.ts'
import { failureReply, type OnFault } from '../failures.ts'
import { format } from '../input.ts'
import { jsonResponse, type LookupResponse } from '../lookup-responses.ts'
import { type ApiContext, inputsFor, type Reply } from '../route.ts'

export const lookupPath = '/api/v1/lookup'

const oneValue = z.string('one value').optional()

/**
 * This schema lets unknown parameters pass: the lookup itself refuses them, and names the parameter that was
 * probably meant.
 */
export const lookupQuery = z.looseObject({
  ...Object.fromEntries(lookupKeys.map((key) => [key, oneValue])),
  as: format,
})

/** Responds to a lookup. Notes that the client starts over, and which version it fetches from now on. */
function respondTo(url: string, who: Requester, context: ApiContext): LookupResponse {
  const { snapshot, machines, lookupCache } = context
  // This comes first, so that the response names the newest version.
  machines.lookedUp(who)
  const request = { query: url.slice(lookupPath.length + 1), who }
  const response = lookupCache.respond({ ...request, inputs: inputsFor(context, who), current: snapshot() })
  if (response.release) machines.namedVersion(who, response.release)
  return response
}

/** The handler in the route table. In practice `lookupFirst` responds before the router is asked. */
export function lookUpRouted(
  { req, who }: { req: IncomingMessage; who: Requester },
  context: ApiContext,
): Reply {
  const { status, contentType, body } = respondTo(req.url ?? '', who, context)
  return { status, headers: { 'Content-Type': contentType }, text: body.toString() }
}

const questionMark = 0x3f

/**
 * Makes a function that responds to `GET /api/v1/lookup` before Express, and returns false for every other
 * request. A rack of machines that install asks thousands of times a second, and Express's routing alone
 * would cost more than the response.
 */
export function lookupFirst(context: ApiContext, onFault: OnFault) {
  return (req: IncomingMessage, res: ServerResponse, who: Requester): boolean => {
    const url = req.url ?? ''
    if (!url.startsWith(lookupPath) || (req.method !== 'GET' && req.method !== 'HEAD')) return false
    if (url.length > lookupPath.length && url.charCodeAt(lookupPath.length) !== questionMark) return false
    let response: LookupResponse
    try {
      response = respondTo(url, who, context)
    } catch (error) {
      const { status, json } = failureReply(error, (fault) => onFault(fault, `${req.method} ${lookupPath}`))
      response = jsonResponse(status, json)
    }
    const { status, contentType, body } = response
    res.writeHead(status, { 'Content-Type': contentType, 'Content-Length': body.length })
    res.end(req.method === 'HEAD' ? undefined : body)
    return true
  }
}
