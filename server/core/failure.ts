/**
 * The kinds of failure, a closed set. Each protocol has one table from kind to wire code (HTTP status, TFTP
 * error, FTP reply, NFS status), so a failure means the same at every service.
 */
export const failureKinds = [
  'bad-request', // the request makes no sense
  'not-found', // the request makes sense, but what it names does not exist
  'unauthenticated', // nobody knows who asks, and not everybody may
  'forbidden', // this client may not have it, whether it exists or not
  'misdirected', // the request names another server than this one
  'precondition-failed', // the client expects something of this server that it does not have
  'precondition-required', // a change must say which state it changes
  'conflict', // the request contradicts what is stored
  'read-only', // a write to a place where nothing can be written
  'too-large', // above a limit of ours or of the protocol
  'wrong-type', // a body of a media type that is not read here
  'unsupported', // understood, but treeboot does not do it
  'invalid-data', // a file, an image or a descriptor is damaged or makes no sense
  'too-many', // this client asked too often
  'unavailable', // not now: a limit is reached, or a part is still starting
  'internal', // our own fault
] as const
export type FailureKind = (typeof failureKinds)[number]

export interface FailureOptions {
  readonly cause?: unknown
  readonly forClient?: boolean
  readonly details?: readonly FailureDetail[]
  readonly retryAfterMs?: number
}

/**
 * An error with a kind for the wire and a message for the operator: what was expected, what was found, where,
 * what to try.
 */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly kind: FailureKind
  /** The message holds nothing of this machine, such as a path: the client that asked may read it. */
  readonly forClient: boolean
  /** For programs: what the message says in words, one by one. */
  readonly details: readonly FailureDetail[]
  /** When the same may be tried again, where that is known. */
  readonly retryAfterMs: number | undefined

  constructor(kind: FailureKind, message: string, options: FailureOptions = {}) {
    super(message, options)
    this.kind = kind
    this.forClient = options.forClient ?? false
    this.details = options.details ?? []
    this.retryAfterMs = options.retryAfterMs
  }
}

/** One value of what a client sent that is not as it must be, or one thing that stands against a change. */
export interface FailureDetail {
  /**
   * Where the value is in the input: `query.limit`, `body.tree.version`, or `name` alone. Or a key of a file:
   * `guests.web01.mac`. Or, where nothing smaller is known, its file and line: `config.yaml:12`.
   */
  readonly field: string
  /** Where `field` is a key of a file: `guests.d/web01.yaml:3:6`. */
  readonly where?: string
  /** Absent where the value is a secret or too long to be repeated. */
  readonly found?: string
  /** What was expected, or what is wrong with it. */
  readonly expected: string
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
      return isDiskFull(error) ? 'unavailable' : 'internal'
  }
}

/**
 * Whether the disk has no room. SQLITE_FULL: ENOSPC at a write. SQLITE_IOERR_WRITE: a quota (EDQUOT).
 * SQLITE_IOERR_SHMSIZE: ENOSPC when the index of the WAL grows.
 */
export function isDiskFull(error: unknown): boolean {
  return fullDiskCodes.includes(String((error as { code?: unknown } | undefined)?.code))
}

const fullDiskCodes: readonly string[] = [
  ...['ENOSPC', 'EDQUOT'],
  ...['SQLITE_FULL', 'SQLITE_IOERR_WRITE', 'SQLITE_IOERR_SHMSIZE'],
]

/** The message of any thrown value. */
export function failureMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
