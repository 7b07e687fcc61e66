import { failureKind, failureMessage } from '../core/failure.ts'
import { httpStatus, retryAfterSeconds } from '../core/http-status.ts'
import type { Reply } from './route.ts'
import type { ErrorBody } from './types.ts'

/** Told of our own faults. `where`: `GET /api/v1/guests`, for the log. */
export type OnFault = (error: unknown, where: string) => void

/**
 * The response to a request whose handler threw: `{error, message}`. Our own faults go to `onFault`; the
 * client does not see their message.
 */
export function failureReply(
  error: unknown,
  onFault: (error: unknown) => void,
): Reply & { readonly status: number; readonly json: ErrorBody } {
  const kind = failureKind(error)
  if (kind !== 'internal') {
    const status = httpStatus[kind].api
    const headers = status === 503 ? { 'Retry-After': String(retryAfterSeconds) } : {}
    return { status, headers, json: { error: kind, message: failureMessage(error) } }
  }
  const status = statusOfExpress(error)
  if (status !== undefined) return { status, json: { error: 'bad-request', message: failureMessage(error) } }
  onFault(error)
  return { status: 500, json: { error: kind, message: 'something went wrong in the server; see its log' } }
}

/**
 * The status of an error by Express itself (a body that is not JSON, a broken escape in the path): 400 to
 * 499.
 */
function statusOfExpress(error: unknown): number | undefined {
  const status = (error as { status?: unknown } | undefined)?.status
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined
}
