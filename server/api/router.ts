import { type ErrorRequestHandler, type Request, type RequestHandler, type Response, Router } from 'express'
import type { Requester } from '../core/net/requester.ts'
import { readBody } from './body.ts'
import { CallLimits } from './call-limits.ts'
import { type AccessContext, requireCaller } from './caller.ts'
import type { ApiContext } from './context.ts'
import { FirstReplies } from './idempotency.ts'
import { failureReply, type OnFault, problemReply } from './problem.ts'
import type { Reply } from './reply.ts'
import type { Method, Route } from './route.ts'

interface RouterOptions {
  readonly routes: readonly Route[]
  readonly context: ApiContext
  readonly requesterOf: (req: Request) => Requester
  /** See `Call.onSending`. */
  readonly onSendingOf: (req: Request) => () => void
  readonly accessOf: (who: Requester, req: Request) => AccessContext
  readonly onFault: OnFault
  /** Default: those of `requestLimits.apiCalls`. */
  readonly limits?: CallLimits
}

/**
 * The route table as an Express router. For each request it checks access, parses input, calls the handler
 * and responds.
 */
export function routerOf(options: RouterOptions): Router {
  const { routes, context, requesterOf, onSendingOf, accessOf, onFault, limits = new CallLimits() } = options
  const router = Router()
  const firstReplies = new FirstReplies()
  for (const each of routes) router[expressMethods[each.method]](each.path, handle(each))
  for (const [path, methods] of methodsByPath(routes)) router.all(path, refuseMethod(methods))
  router.use((_req, res) => {
    send(res, problemReply('not-found', 'no such path in the API; see /api/v1'))
  })
  const refuse: ErrorRequestHandler = (error, req, res, next) => {
    if (res.headersSent) return next(error)
    send(
      res,
      failureReply(error, (fault) => onFault(fault, `${req.method} ${req.path}`)),
    )
  }
  return router.use(refuse)

  /** What is open to everybody is not counted: a room of machines may be behind one address. */
  async function countedCaller(each: Pick<Route, 'access'>, req: Request, access: AccessContext) {
    if (each.access === 'everybody') return requireCaller(each, req, access)
    const caller = await requireCaller(each, req, access).catch((error: unknown) => {
      limits.take(undefined, access.from)
      throw error
    })
    limits.take(caller, access.from)
    return caller
  }

  function handle(each: Route): RequestHandler {
    return async (req, res) => {
      const who = requesterOf(req)
      const access = accessOf(who, req)
      const isOpen = each.openTo?.(access.from, context) ?? false
      const caller = await countedCaller(isOpen ? { access: 'everybody' } : each, req, access)
      const { from } = access
      const body = each.body && (await bodyOf(each, req))
      const respond = async (): Promise<Reply> => {
        if (each.readsGuests) await context.machines.fresh()
        const { params, query } = req
        const onSending = onSendingOf(req)
        return each.respond({ params, query, body, who, caller, from, onSending, req, res }, context)
      }
      send(res, await (each.makes ? firstReplies.reply({ req, body, caller }, respond) : respond()))
    }
  }
}

/** Installers report with whatever body their tools send. */
function bodyOf({ access, bodyTypes, bodyBytes }: Route, req: Request): Promise<unknown> {
  return readBody(req, {
    lenient: access === 'everybody',
    ...(bodyTypes && { types: bodyTypes }),
    ...(bodyBytes !== undefined && { most: bodyBytes }),
  })
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

function methodsByPath(routes: readonly Route[]): ReadonlyMap<string, readonly Method[]> {
  const found = new Map<string, Method[]>()
  for (const { path, method } of routes) {
    const methods = found.get(path) ?? []
    found.set(path, method === 'GET' ? [...methods, 'GET', 'HEAD'] : [...methods, method])
  }
  return found
}

/** 405 (RFC 9110, 15.5.6), which must say what is allowed. */
function refuseMethod(methods: readonly Method[]): RequestHandler {
  const allowed = [...new Set(methods)].join(', ')
  return (req, res) => {
    const { headers, json } = problemReply(
      'bad-request',
      `${req.method} cannot be asked of this path, but ${allowed}`,
    )
    send(res, { status: 405, headers: { ...headers, Allow: allowed }, json: { ...json, status: 405 } })
  }
}

/** A body up to this size is read to its end although nobody uses it: then the connection can be kept. */
const drainedBytes = 64 * 1024

/** Whether more of the request's body is still to come than is worth reading. */
function hasLongRest({ complete, headers }: Request): boolean {
  if (complete) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > drainedBytes
}

function send(res: Response, { status = 200, headers = {}, json, text }: Reply): void {
  // A handler that streams has sent it.
  if (res.headersSent) return
  res.status(status).set(headers)
  // Without this, node:http reads the whole body of a refused upload before it takes the next request.
  if (hasLongRest(res.req)) res.set('Connection', 'close')
  if (json !== undefined) res.json(json)
  else if (text !== undefined) res.send(text)
  else res.end()
}
