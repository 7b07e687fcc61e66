import { type ErrorRequestHandler, type Request, type RequestHandler, type Response, Router } from 'express'
import { httpStatus } from '../core/http-status.ts'
import type { Requester } from '../core/net/requester.ts'
import { whyNotAdmin } from './admin.ts'
import { whyCrossSite } from './cross-site.ts'
import { failureReply, type OnFault } from './failures.ts'
import { jsonBody } from './json-body.ts'
import type { ApiContext, Method, Reply, Route } from './route.ts'
import type { ErrorBody } from './types.ts'

interface RouterOptions {
  readonly routes: readonly Route[]
  readonly context: ApiContext
  readonly requesterOf: (req: Request) => Requester
  readonly onFault: OnFault
}

/**
 * The route table as an Express router. For each request it checks access, parses input, calls the handler
 * and responds.
 */
export function routerOf({ routes, context, requesterOf, onFault }: RouterOptions): Router {
  const router = Router()
  // Before all rows, so that no row can forget it.
  router.use((req, res, next) => {
    const message = whyCrossSite(req.method, req.headers, context.snapshot().config.server.url)
    if (message === undefined) next()
    else send(res, { status: httpStatus.forbidden.api, json: { error: 'forbidden', message } })
  })
  for (const each of routes) {
    const handlers = each.body ? [readJson, handle(each)] : [handle(each)]
    router[expressMethods[each.method]](each.path, ...handlers)
  }
  router.use((_req, res) => {
    const json: ErrorBody = { error: 'not-found', message: 'no such path in the API; see /api/v1/' }
    send(res, { status: httpStatus['not-found'].api, json })
  })
  const refuse: ErrorRequestHandler = (error, req, res, next) => {
    if (res.headersSent) return next(error)
    send(
      res,
      failureReply(error, (fault) => onFault(fault, `${req.method} ${req.path}`)),
    )
  }
  return router.use(refuse)

  function handle(each: Route): RequestHandler {
    return async (req, res) => {
      const refusal = refuseAccess(each, req, context)
      if (refusal) return send(res, refusal)
      if (each.readsGuests) await context.machines.fresh()
      const { params, query, body } = req
      send(res, await each.respond({ params, query, body, who: requesterOf(req), req, res }, context))
    }
  }
}

const readJson: RequestHandler = async (req, _res, next) => {
  req.body = await jsonBody(req)
  next()
}

const expressMethods = {
  GET: 'get',
  HEAD: 'head',
  POST: 'post',
  PUT: 'put',
  PATCH: 'patch',
  DELETE: 'delete',
  OPTIONS: 'options',
} as const satisfies Record<Method, string>

function refuseAccess(
  { access, challenge }: Route,
  req: Request,
  { isAdmin }: ApiContext,
): Reply | undefined {
  const message = access === 'administrator' ? whyNotAdmin(req, isAdmin) : undefined
  if (message === undefined) return undefined
  const json: ErrorBody = { error: 'forbidden', message }
  if (!challenge) return { status: httpStatus.forbidden.api, json }
  const headers = { 'WWW-Authenticate': 'Basic realm="treeboot", charset="UTF-8"' }
  return { status: 401, headers, json }
}

/** A body up to this size is read to its end although nobody uses it: then the connection can be kept. */
const drainedBytes = 64 * 1024

/** Whether more of the request's body is still to come than is worth reading. */
function hasLongRest({ complete, headers }: Request): boolean {
  if (complete) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > drainedBytes
}

function send(res: Response, { status = 200, headers = {}, json, text }: Reply): void {
  res.status(status).set(headers)
  // Without this, node:http reads the whole body of a refused upload before it takes the next request.
  if (hasLongRest(res.req)) res.set('Connection', 'close')
  if (json !== undefined) res.json(json)
  else if (text !== undefined) res.send(text)
  else res.end()
}
