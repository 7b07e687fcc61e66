/**
 * Everything that can go wrong, as a closed set. Each protocol has one table from kind to wire code
 * (HTTP status, TFTP error, FTP reply, NFS status), so no service invents its own idea of an error.
 */
export type FailureKind =
  | 'bad-request' // what was asked makes no sense
  | 'not-found' // it makes sense, and there is no such thing
  | 'forbidden' // there may be such a thing, but not for this client
  | 'conflict' // it contradicts what is already there
  | 'read-only' // a write where nothing may be written
  | 'too-large' // over a limit that we or the protocol set
  | 'unsupported' // understood, and not something we do
  | 'invalid-data' // a file, an image or a descriptor is damaged or nonsense
  | 'unavailable' // not now: a limit is reached, a part is still starting
  | 'internal' // our own fault

/** An error with a kind for the wire and a message for the operator: what was expected, what was found, where, what to try. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly kind: FailureKind

  constructor(kind: FailureKind, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.kind = kind
  }
}

/** The kind of any thrown value. System errors keep their meaning; whatever we did not foresee is `internal`. */
export function failureKind(error: unknown): FailureKind {
  if (error instanceof Failure) return error.kind
  switch ((error as NodeJS.ErrnoException | undefined)?.code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
      return 'not-found'
    case 'EACCES':
    case 'EPERM':
    case 'ELOOP':
      return 'forbidden'
    case 'EMFILE':
    case 'ENFILE':
      return 'unavailable'
    case 'EROFS':
      return 'read-only'
    default:
      return 'internal'
  }
}

/** The message of any thrown value. */
export function failureMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
