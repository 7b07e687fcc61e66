import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { lookupKeys } from '../../core/lookup/query.ts'
import type { Requester } from '../../core/net/requester.ts'
import { type ApiContext, inputsFor } from '../context.ts'
import { format } from '../input.ts'
import { guestInQuery, jsonResponse, type LookupResponse } from '../lookup-responses.ts'
import { failureReply, type OnFault, problemType } from '../problem.ts'
import { route } from '../route.ts'

const lookupPath = '/api/v1/lookup'

const oneValue = z.string('one value').optional()

/**
 * This schema lets unknown parameters pass: the lookup itself refuses them, and names the parameter that was
 * probably meant.
 */
const lookupQuery = z.looseObject({
  ...Object.fromEntries(lookupKeys.map((key) => [key, oneValue])),
  as: format,
})

/**
 * Responds to a lookup. Notes that the client starts over, and which version it fetches from now on. A response that is
 * not kept, for a guest with a template, waits until its answer file was made: only then is it sent into its installer.
 */
function respondTo(
  url: string,
  who: Requester,
  context: ApiContext,
): LookupResponse | Promise<LookupResponse> {
  const { snapshot, machines, answers, lookupCache } = context
  // This comes first, so that the response names the newest version.
  machines.lookedUp(who)
  const current = snapshot()
  const query = queryOf(url)
  const request = { query, who, inputs: inputsFor(context, who), current }
  const noted = (response: LookupResponse): LookupResponse => {
    if (response.release) machines.namedVersion(who, response.release)
    return response
  }
  const kept = lookupCache.kept(request)
  if (kept) return noted(kept)
  const guest = guestInQuery(query, current.guests)
  if (guest?.settings.template === undefined) return noted(lookupCache.respond(request))
  return answers
    .inputsFor(request.inputs, { guest, who, snapshot: current })
    .then((inputs) => noted(lookupCache.respond({ ...request, inputs })))
}

/** A URL may also be absolute, as proxies ask (RFC 9112 section 3.2.2), or have a slash at the end of its path. */
function queryOf(url: string): string {
  const mark = url.indexOf('?')
  return mark < 0 ? '' : url.slice(mark + 1)
}

/** In practice `lookupFirst` responds before the router is asked. */
export const lookupRoutes = [
  route({
    method: 'GET',
    path: lookupPath,
    operation: 'lookUp',
    summary: 'kernel, initrd and arguments of a tree or a guest',
    access: 'everybody',
    query: lookupQuery,
    answers: { 200: { type: '*/*' } },
    failures: ['not-found'],
    async handle({ req, who }, context) {
      const { status, contentType, body } = await respondTo(req.url ?? '', who, context)
      return { status, headers: { 'Content-Type': contentType }, text: body.toString() }
    },
  }),
] as const

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
    const send = ({ status, contentType, body }: LookupResponse): void => {
      res.writeHead(status, { 'Content-Type': contentType, 'Content-Length': body.length })
      res.end(req.method === 'HEAD' ? undefined : body)
    }
    const fail = (error: unknown): void => {
      const { status, json } = failureReply(error, (fault) => onFault(fault, `${req.method} ${lookupPath}`))
      send({ ...jsonResponse(status, json), contentType: problemType })
    }
    try {
      const response = respondTo(url, who, context)
      if (response instanceof Promise) response.then(send).catch(fail)
      else send(response)
    } catch (error) {
      fail(error)
    }
    return true
  }
}
