import {
  type ErrorRequestHandler,
  json,
  type Request,
  type RequestHandler,
  type Response,
  Router,
} from 'express'
import { httpStatus } from '../core/http-status.ts'
import { requestLimits } from '../core/limits/requests.ts'
import type { Requester } from '../core/net/requester.ts'
import { whyNotAdmin } from './admin.ts'
import { failureReply, type OnFault } from './failures.ts'
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
  for (const each of routes) {
    const handlers = each.body ? [readJson, handle(each)] : [handle(each)]
    router[expressMethods[each.method]](each.path, ...handlers)
  }
  router.use((_req, res) => {
    res.status(404).json({ error: 'not-found', message: 'no such path in the API; see /api/v1/' })
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

/** `strict: false` accepts JSON that is no object or list: such a report counts, too (`reports.ts`). */
const readJson = json({ limit: requestLimits.jsonBody.bytes, strict: false })

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
  // `close`: the server does not wait for the body of a refused upload.
  const headers = { 'WWW-Authenticate': 'Basic realm="treeboot", charset="UTF-8"', Connection: 'close' }
  return { status: 401, headers, json }
}

function send(res: Response, { status = 200, headers = {}, json, text }: Reply): void {
  res.status(status).set(headers)
  if (json !== undefined) res.json(json)
  else if (text !== undefined) res.send(text)
  else res.end()
}
