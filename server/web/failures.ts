import type { ErrorRequestHandler } from 'express'
import { type FailureKind, failureKind, failureMessage } from '../core/failure.ts'
import type { EventSink } from '../events/bus.ts'

const statuses: Record<FailureKind, number> = {
  'bad-request': 400,
  'not-found': 404,
  forbidden: 403,
  conflict: 409,
  'read-only': 403,
  'too-large': 413,
  unsupported: 501,
  'invalid-data': 422,
  unavailable: 503,
  internal: 500,
}

/** The API's border: every error becomes `{error, message}` with its status. Our own faults are told in the log only. */
export function sendFailure(events: EventSink): ErrorRequestHandler {
  return (error, req, res, next) => {
    if (res.headersSent) return next(error)
    const kind = failureKind(error)
    const shown = kind === 'internal' ? clientFault(error) : undefined
    if (shown) return void res.status(shown).json({ error: 'bad-request', message: failureMessage(error) })
    if (kind === 'internal') {
      events({ type: 'trouble', where: `${req.method} ${req.path}`, message: failureMessage(error) })
    }
    const message =
      kind === 'internal' ? 'something went wrong here; the log says what' : failureMessage(error)
    res.status(statuses[kind]).json({ error: kind, message })
  }
}

/** Express's own refusals (a body that is no JSON, a broken escape in the path) carry a 4xx status. */
function clientFault(error: unknown): number | undefined {
  const status = (error as { status?: unknown } | undefined)?.status
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined
}
