import { ConfigError } from '../config/problems.ts'
import {
  Failure,
  type FailureDetail,
  type FailureKind,
  failureKind,
  failureMessage,
  isDiskFull,
} from '../core/failure.ts'
import { httpStatus, retryAfterSeconds } from '../core/http-status.ts'
import type { Reply } from './reply.ts'
import type { Problem } from './schemas/common.ts'

/** Told of our own faults. `where`: `GET /api/v1/guests`, for the log. */
export type OnFault = (error: unknown, where: string) => void

export const problemType = 'application/problem+json'

/** The title of each kind, which never changes. */
export const problemTitles: Readonly<Record<FailureKind, string>> = {
  'bad-request': 'The request makes no sense',
  'not-found': 'There is no such thing',
  unauthenticated: 'Credentials are needed',
  forbidden: 'Not allowed',
  misdirected: 'This server does not have that name',
  'precondition-failed': 'Something else is expected of this server',
  'precondition-required': 'A change must name what it changes',
  conflict: 'It is not as the request expects',
  'read-only': 'Nothing can be written here',
  'too-large': 'Too large',
  'wrong-type': 'A body of another type',
  unsupported: 'Not supported',
  'invalid-data': 'The data have a mistake',
  'too-many': 'Too many requests',
  unavailable: 'Not now',
  internal: 'A fault of the server',
}

/** The document (RFC 9457) that tells a failure. */
export function problemOf(
  kind: FailureKind,
  message: string,
  details: readonly FailureDetail[] = [],
): Problem {
  return {
    type: `/api/docs#problem-${kind}`,
    title: problemTitles[kind],
    status: httpStatus[kind].api,
    detail: message,
    error: kind,
    message,
    ...(details.length > 0 && { errors: details }),
  }
}

/** The document of any thrown value, for whoever may read its message. */
export function problemOfError(error: unknown): Problem {
  return problemOf(failureKind(error), failureMessage(error), detailsOf(error))
}

/** The response with a problem document. */
export function problemReply(
  kind: FailureKind,
  message: string,
  details: readonly FailureDetail[] = [],
  retryAfterMs = retryAfterSeconds * 1000,
): ProblemReply {
  const body = problemOf(kind, message, details)
  const { status } = body
  const again =
    status === 503 || status === 429 ? { 'Retry-After': String(Math.ceil(retryAfterMs / 1000)) } : {}
  // RFC 9110, 11.6.1. Not Basic: a browser would ask for a password, keep it, and send it for pages of other sites.
  const challenge = status === 401 ? { 'WWW-Authenticate': 'Bearer realm="treeboot"' } : {}
  return { status, headers: { 'Content-Type': problemType, ...again, ...challenge }, json: body }
}

type ProblemReply = Reply<Problem> & { readonly status: number; readonly json: Problem }

/**
 * The response to a request whose handler threw. Our own faults go to `onFault`; the client does not see their
 * message.
 */
export function failureReply(error: unknown, onFault: (error: unknown) => void): ProblemReply {
  const kind = failureKind(error)
  if (isDiskFull(error)) {
    onFault(error)
    return problemReply(
      kind,
      'the disk of the server is full, and this was not done to its end; make room, and try again',
    )
  }
  if (kind !== 'internal')
    return problemReply(kind, failureMessage(error), detailsOf(error), retryAfterOf(error))
  const status = statusOfExpress(error)
  if (status !== undefined) return problemReply('bad-request', failureMessage(error))
  onFault(error)
  return problemReply(kind, 'something went wrong in the server; see its log')
}

function retryAfterOf(error: unknown): number | undefined {
  return error instanceof Failure ? error.retryAfterMs : undefined
}

function detailsOf(error: unknown): readonly FailureDetail[] {
  if (error instanceof ConfigError)
    return error.problems.map(({ where, message, remedy, refused }) => {
      if (!refused)
        return { field: where, expected: remedy === undefined ? message : `${message}; ${remedy}` }
      const { key, ...value } = refused
      return { field: key, where, ...value }
    })
  return error instanceof Failure ? error.details : []
}

/**
 * The status of an error by Express itself (a body that is not JSON, a broken escape in the path): 400 to
 * 499.
 */
function statusOfExpress(error: unknown): number | undefined {
  const status = (error as { status?: unknown } | undefined)?.status
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined
}
