import type { FailureKind } from '../../core/failure.ts'

/** The one table from what went wrong to what HTTP calls it (RFC 9110 section 15). */
export const statusOfFailure: Readonly<Record<FailureKind, number>> = {
  'bad-request': 400,
  'not-found': 404,
  forbidden: 403,
  conflict: 503, // a file that keeps being replaced while it is opened: curl and dracut ask again after 503, not after 409
  'read-only': 405,
  'too-large': 413,
  unsupported: 501,
  'invalid-data': 500,
  unavailable: 503,
  internal: 500,
}

export const reasonOf: Readonly<Record<number, string>> = {
  200: 'OK',
  206: 'Partial Content',
  304: 'Not Modified',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  416: 'Range Not Satisfiable',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
}
