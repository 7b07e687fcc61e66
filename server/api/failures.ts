import type { ErrorRequestHandler } from 'express'
import { type FailureKind, failureKind, failureMessage } from '../core/failure.ts'

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

export interface FailureAnswer {
  readonly status: number
  readonly body: { readonly error: FailureKind; readonly message: string }
}

/** The API's border: every error becomes `{error, message}` with its status. Our own faults go to `onFault` and not to the client. */
export function failureAnswer(error: unknown, onFault: (error: unknown) => void): FailureAnswer {
  const kind = failureKind(error)
  if (kind !== 'internal')
    return { status: statuses[kind], body: { error: kind, message: failureMessage(error) } }
  const status = clientFault(error)
  if (status !== undefined) return { status, body: { error: 'bad-request', message: failureMessage(error) } }
  onFault(error)
  return { status: 500, body: { error: kind, message: 'something went wrong here; the log says what' } }
}

/** The same as Express's last resort. */
export function sendFailure(onFault: (error: unknown, where: string) => void): ErrorRequestHandler {
  return (error, req, res, next) => {
    if (res.headersSent) return next(error)
    const { status, body } = failureAnswer(error, (fault) => onFault(fault, `${req.method} ${req.path}`))
    res.status(status).json(body)
  }
}

/** Express's own refusals (a body that is no JSON, a broken escape in the path) carry a 4xx status. */
function clientFault(error: unknown): number | undefined {
  const status = (error as { status?: unknown } | undefined)?.status
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined
}
