import { Failure, type FailureKind, failureKind } from '../../core/failure.ts'

/** Text for a reply: on one line, whatever was in it. A name with a line feed must not become a reply of its own. */
function oneLine(text: string): string {
  return text.replace(/[\x00-\x1f\x7f\u0080-\u009f]/g, '?')
}

/** A reply of one line (RFC 959 section 4.2). */
export function reply(code: number, text: string): string {
  return `${code} ${oneLine(text)}\r\n`
}

/**
 * A reply of several lines. All but the last begin with `code-` or a space: a line that began with three digits
 * could be taken for the end.
 */
export function replyLines(code: number, first: string, lines: Iterable<string>, last: string): string {
  let text = `${code}-${oneLine(first)}\r\n`
  for (const line of lines) text += ` ${oneLine(line)}\r\n`
  return `${text}${reply(code, last)}`
}

/** A path inside quotes, each quote in it doubled (RFC 959 appendix II): `a"b` is `"a""b"`. */
export function quotePath(path: string): string {
  return `"${path.replaceAll('"', '""')}"`
}

interface FailureReply {
  readonly code: number
  readonly text: string
}

/**
 * The one table from what went wrong to what FTP calls it. The texts are fixed: what an error of ours says may name a
 * folder of this machine, which is no client's business. virt-install, curl and busybox take 550, and
 * only that, for "there is no such file, go on".
 */
const replyOfKind: Readonly<Record<FailureKind, FailureReply>> = {
  'bad-request': { code: 553, text: 'This name is not allowed' },
  'not-found': { code: 550, text: 'No such file or folder' },
  forbidden: { code: 550, text: 'Not permitted' },
  conflict: { code: 450, text: 'It was changed or is in use; try again' },
  'read-only': { code: 550, text: 'Read-only: nothing can be written here' },
  'too-large': { code: 552, text: 'Too large' },
  unsupported: { code: 504, text: 'Not supported' },
  'invalid-data': { code: 550, text: 'The file is damaged' },
  unavailable: { code: 450, text: 'Not now; try again later' },
  internal: { code: 451, text: 'Internal error' },
}

/** The reply to any thrown value. `path` is what the client asked for, as it sees it. */
export function failureReply(error: unknown, path?: string): string {
  const { code, text } = replyOfKind[failureKind(error)]
  return reply(code, path === undefined ? text : `${path}: ${text}`)
}

/**
 * The reply to an error of the upload area, in its own words, which are made for the administrator's eyes. A conflict is
 * final here: after 450 lftp would try for ever to make a folder that is there.
 */
export function uploadFailureReply(error: unknown): string {
  if (!(error instanceof Failure)) return failureReply(error)
  return reply(error.kind === 'conflict' ? 550 : replyOfKind[error.kind].code, error.message)
}
