import type { FailureKind } from './failure.ts'

/** The HTTP status of one failure kind: for a file of the namespace, and for the API. */
export interface HttpStatus {
  readonly files: number
  readonly api: number
}

/**
 * The one table from failure kinds to HTTP status codes (RFC 9110 section 15). The two columns differ where
 * the same kind means something else: a file is only read, while the API takes what a client wrote.
 */
export const httpStatus: Readonly<Record<FailureKind, HttpStatus>> = {
  /** 400 Bad Request: no server could read this request. */
  'bad-request': { files: 400, api: 400 },
  /** 404 Not Found. */
  'not-found': { files: 404, api: 404 },
  /** 401 Unauthorized. No file needs credentials. */
  unauthenticated: { files: 401, api: 401 },
  /** 403 Forbidden: signing in again does not help, so it is not 401. */
  forbidden: { files: 403, api: 403 },
  /** 421 Misdirected Request (section 15.5.20): the name in the request is not one of this server. */
  misdirected: { files: 421, api: 421 },
  /** 412 Precondition Failed (section 15.5.13): tus says it of a version that a server does not speak. */
  'precondition-failed': { files: 412, api: 412 },
  /** 428 Precondition Required (RFC 6585 section 3). */
  'precondition-required': { files: 428, api: 428 },
  /**
   * Files: 503 Service Unavailable, because the file is being replaced at this moment. curl and dracut try
   * again after a 503, and give up after a 409. API: 409 Conflict, because the client's change contradicts
   * what is stored.
   */
  conflict: { files: 503, api: 409 },
  /** 403 Forbidden: not 405, which must name the methods that are allowed (section 15.5.6). */
  'read-only': { files: 403, api: 403 },
  /** 413 Content Too Large. */
  'too-large': { files: 413, api: 413 },
  /** 415 Unsupported Media Type. */
  'wrong-type': { files: 415, api: 415 },
  /** 501 Not Implemented. */
  unsupported: { files: 501, api: 501 },
  /**
   * Files: 500 Internal Server Error, because a damaged image or template of ours is not the client's fault.
   * API: 422 Unprocessable Content, because the client sent the damaged data.
   */
  'invalid-data': { files: 500, api: 422 },
  /** 429 Too Many Requests (RFC 6585 section 4). */
  'too-many': { files: 429, api: 429 },
  /** 503 Service Unavailable: installers and curl try again. */
  unavailable: { files: 503, api: 503 },
  /** 500 Internal Server Error. */
  internal: { files: 500, api: 500 },
}

/** `Retry-After` of every 503 (RFC 9110 section 10.2.3): when a client may try again. */
export const retryAfterSeconds = 5

/** A request that HTTP itself refuses: it never comes to a file or to the API. */
export interface RefusedRequest {
  readonly status: RefusedStatus
  readonly message: string
  /** As the client wrote it. Undefined when the head could not be read, so nobody knows what was meant. */
  readonly target?: string
}

/** The status codes of such refusals, and the failure kind by which the API tells each. */
export const kindOfRefusal = {
  400: 'bad-request',
  /** 408 Request Timeout: the head did not come to its end. */
  408: 'bad-request',
  413: 'too-large',
  /** 417 Expectation Failed. */
  417: 'precondition-failed',
  /** 431 Request Header Fields Too Large (RFC 6585 section 5). */
  431: 'too-large',
  501: 'unsupported',
} as const satisfies Readonly<Record<number, FailureKind>>

export type RefusedStatus = keyof typeof kindOfRefusal
