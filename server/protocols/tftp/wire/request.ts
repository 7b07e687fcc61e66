import { Failure, type FailureKind, failureKind, failureMessage } from '../../../core/failure.ts'
import { type CleanPath, cleanPath } from '../../../files/path.ts'
import { type ErrorCode, errorCode } from './packet.ts'

/**
 * The path that a request's file name means. `x`, `/x` and `//x` are one file: iPXE and curl strip a slash, GRUB
 * sends one, shim two. A backslash is a slash: shim copies the style of the DHCP boot file. Nothing is
 * percent-decoded: GRUB means `%20` literally and iPXE has decoded before it asks.
 *
 * @throws Failure `bad-request` for control characters and over-long names.
 */
export function requestPath(filename: string): CleanPath {
  return cleanPath(filename.replaceAll('\\', '/'))
}

/** From our kinds of failure to TFTP's eight codes. Loaders give up at once on 1 and 2, and that is meant. */
const codes: Record<FailureKind, ErrorCode> = {
  'bad-request': errorCode.illegalOperation,
  'not-found': errorCode.notFound,
  forbidden: errorCode.accessViolation,
  conflict: errorCode.undefined,
  'read-only': errorCode.accessViolation,
  'too-large': errorCode.undefined,
  unsupported: errorCode.illegalOperation,
  'invalid-data': errorCode.undefined,
  unavailable: errorCode.undefined,
  internal: errorCode.undefined,
}

/** What the wire hears of kinds whose message is for the operator only: it may name files on our disk. */
const publicText: Partial<Record<FailureKind, string>> = {
  forbidden: 'access violation',
  'invalid-data': 'the file is damaged on the server',
  unavailable: 'server busy, try again',
  internal: 'server error, see its log',
}

export interface WireError {
  readonly code: ErrorCode
  readonly kind: FailureKind
  /** For the client. */
  readonly text: string
  /** For the operator. */
  readonly detail: string
}

/** Any thrown value as an ERROR packet's code and text. */
export function wireError(error: unknown): WireError {
  const kind = failureKind(error)
  const own = error instanceof Failure ? error.message : 'file not found'
  return { code: codes[kind], kind, text: publicText[kind] ?? own, detail: failureMessage(error) }
}
