import { Failure, type FailureKind, failureKind } from '../../../core/failure.ts'

/** A reply to a command (RFC 959 section 4.2). */
export interface Reply {
  readonly code: number
  /** The only line, or the last line. */
  readonly text: string
  /** In a reply of several lines: the first line. */
  readonly first?: string
  /** In a reply of several lines: the lines between the first and the last. */
  readonly lines?: Iterable<string>
}

/**
 * Encodes a reply. In a reply of several lines the first begins with `code-`, and those between it and the
 * last begin with a space. A client could take a line that begins with three digits for the last line.
 */
export function formatReply({ code, text, first, lines }: Reply): string {
  const last = `${code} ${oneLine(text)}\r\n`
  if (first === undefined) return last
  let all = `${code}-${oneLine(first)}\r\n`
  for (const line of lines ?? []) all += ` ${oneLine(line)}\r\n`
  return all + last
}

/** The text on one line, whatever it contains: a name with a line feed must not become a reply of its own. */
function oneLine(text: string): string {
  return text.replace(/[\x00-\x1f\x7f\u0080-\u009f]/g, '?')
}

/** A path inside quotes, each quote in it doubled (RFC 959 appendix II): `a"b` is `"a""b"`. */
export function quotePath(path: string): string {
  return `"${path.replaceAll('"', '""')}"`
}

/**
 * The reply for each kind of failure. The texts are fixed: the message of a failure may name a folder of this
 * machine, which a client must not learn. virt-install, curl and busybox take 550, and only
 * 550, for "there is no such file, go on".
 */
const replyOfKind: Readonly<Record<FailureKind, Reply>> = {
  'bad-request': { code: 553, text: 'This name is not allowed' },
  'not-found': { code: 550, text: 'No such file or folder' },
  unauthenticated: { code: 530, text: 'Not logged in' },
  forbidden: { code: 550, text: 'Not permitted' },
  misdirected: { code: 550, text: 'Not on this server' },
  'precondition-failed': { code: 550, text: 'Not permitted' },
  'precondition-required': { code: 550, text: 'Not permitted' },
  conflict: { code: 450, text: 'It was changed or is in use; try again' },
  'read-only': { code: 550, text: 'Read-only: nothing can be written here' },
  'too-large': { code: 552, text: 'Too large' },
  'wrong-type': { code: 504, text: 'Not supported' },
  unsupported: { code: 504, text: 'Not supported' },
  'invalid-data': { code: 550, text: 'The file is damaged' },
  'too-many': { code: 450, text: 'Not now; try again later' },
  unavailable: { code: 450, text: 'Not now; try again later' },
  internal: { code: 451, text: 'Internal error' },
}

/** The reply to any thrown value. `path` is the path in the namespace that the client asked for. */
export function failureReply(error: unknown, path?: string): Reply {
  const { code, text } = replyOfKind[failureKind(error)]
  return { code, text: path === undefined ? text : `${path}: ${text}` }
}

/**
 * The reply to an error of the upload area, with the error's own message, which is written for
 * administrators. A conflict is final here: after 450, lftp would try for ever to make a folder that exists.
 */
export function uploadFailureReply(error: unknown): Reply {
  if (!(error instanceof Failure)) return failureReply(error)
  return { code: error.kind === 'conflict' ? 550 : replyOfKind[error.kind].code, text: error.message }
}
