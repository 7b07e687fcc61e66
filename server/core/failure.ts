/**
 * The kinds of failure, a closed set. Each protocol has one table from kind to wire code (HTTP status, TFTP
 * error, FTP reply, NFS status), so a failure means the same at every service.
 */
export type FailureKind =
  | 'bad-request' // the request makes no sense
  | 'not-found' // the request makes sense, but what it names does not exist
  | 'forbidden' // this client may not have it, whether it exists or not
  | 'conflict' // the request contradicts what is stored
  | 'read-only' // a write to a place where nothing can be written
  | 'too-large' // above a limit of ours or of the protocol
  | 'unsupported' // understood, but treeboot does not do it
  | 'invalid-data' // a file, an image or a descriptor is damaged or makes no sense
  | 'unavailable' // not now: a limit is reached, or a part is still starting
  | 'internal' // our own fault

/**
 * An error with a kind for the wire and a message for the operator: what was expected, what was found, where,
 * what to try.
 */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly kind: FailureKind
  /** The message holds nothing of this machine, such as a path: the client that asked may read it. */
  readonly forClient: boolean

  constructor(kind: FailureKind, message: string, options?: { cause?: unknown; forClient?: boolean }) {
    super(message, options)
    this.kind = kind
    this.forClient = options?.forClient ?? false
  }
}

/** The kind of any thrown value. System errors (`ENOENT`, ...) have a kind; any other error is `internal`. */
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
