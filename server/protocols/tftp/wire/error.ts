import { Failure, type FailureKind, failureKind, failureMessage } from '../../../core/failure.ts'
import { encodePacket } from './packet.ts'

/** The codes of ERROR packets: RFC 1350 appendix I; code 8 is from RFC 2347 section 4. */
export type ErrorCode = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8

export const errorCode = {
  undefined: 0,
  notFound: 1,
  accessViolation: 2,
  diskFull: 3,
  illegalOperation: 4,
  unknownTransfer: 5,
  fileExists: 6,
  noSuchUser: 7,
  optionRefused: 8,
} as const satisfies Record<string, ErrorCode>

/**
 * The longest text of an ERROR, in octets: the packet must fit in one frame, and a human must read the text.
 */
const maxMessageBytes = 500

/** Encodes an ERROR, whatever its text is: control characters become spaces, and a long text is cut. */
export function errorPacket(code: ErrorCode, message: string): Uint8Array {
  const clean = [...message].map((c) => (c < ' ' || c === '\x7f' ? ' ' : c)).join('')
  let cut = clean.slice(0, maxMessageBytes)
  while (Buffer.byteLength(cut) > maxMessageBytes) cut = cut.slice(0, -1)
  return encodePacket({ type: 'error', code, message: cut })
}

/**
 * The TFTP code of each kind of failure. After codes 1 and 2 boot loaders give up at once, as they should.
 */
const codeOfKind: Record<FailureKind, ErrorCode> = {
  'bad-request': errorCode.illegalOperation,
  'not-found': errorCode.notFound,
  unauthenticated: errorCode.accessViolation,
  forbidden: errorCode.accessViolation,
  misdirected: errorCode.undefined,
  'precondition-failed': errorCode.undefined,
  'precondition-required': errorCode.undefined,
  conflict: errorCode.undefined,
  'read-only': errorCode.accessViolation,
  'too-large': errorCode.undefined,
  'wrong-type': errorCode.illegalOperation,
  unsupported: errorCode.illegalOperation,
  'invalid-data': errorCode.undefined,
  'too-many': errorCode.undefined,
  unavailable: errorCode.undefined,
  internal: errorCode.undefined,
}

/**
 * The text for a client where the message of the failure is for the operator only: it may name files on our
 * disk.
 */
const publicText: Partial<Record<FailureKind, string>> = {
  forbidden: 'access violation',
  'invalid-data': 'the file is damaged on the server',
  unavailable: 'server busy, try again',
  internal: 'server error, see its log',
}

/** A failure as an ERROR for the client, and as the text of an event for the operator. */
export interface ErrorReply {
  readonly code: ErrorCode
  readonly kind: FailureKind
  /** For the client. */
  readonly text: string
  /** For the operator. */
  readonly detail: string
}

/** The reply to any thrown value. */
export function errorReply(error: unknown): ErrorReply {
  const kind = failureKind(error)
  // Other errors than ours come from the file system, and their messages name paths of our disk.
  const ownText = error instanceof Failure ? error.message : `file ${kind.replace('-', ' ')}`
  return { code: codeOfKind[kind], kind, text: publicText[kind] ?? ownText, detail: failureMessage(error) }
}
