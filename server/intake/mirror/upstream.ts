import { Failure } from '../../core/failure.ts'

/**
 * A web or FTP server that a tree can be fetched from, file by file. Paths are relative to `url` and may
 * begin with `..`.
 */
export interface Upstream {
  /** With a slash at its end. */
  readonly url: string
  /**
   * Begins to read a file; undefined when it does not exist. Rejects with `TransientFailure` when a retry may
   * help, and with a Failure `forbidden` when it cannot.
   */
  get(path: string, options: GetOptions): Promise<RemoteBody | undefined>
  /** The names in a folder, sorted. Undefined when it cannot be listed. Rejects as `get` does. */
  list(path: string, signal?: AbortSignal): Promise<readonly RemoteName[] | undefined>
  close(): Promise<void>
}

/** A name in a folder of an upstream. */
export interface RemoteName {
  /** With a slash at its end for a folder. */
  readonly name: string
  /** Set for a symlink, where the upstream says so: its target, absolute only when it leads out of the upstream. */
  readonly target?: string
}

export interface GetOptions {
  /** Position of the first byte to read. */
  readonly start: number
  /** The validator of the bytes before `start`, which we have already. */
  readonly validator?: string
  readonly signal?: AbortSignal
}

/** The response of an upstream: bytes from `start` on. */
export interface RemoteBody {
  /** 0, when a later byte was asked for: the upstream cannot resume, or has another file now. */
  readonly start: number
  /** Size of the whole file, when the upstream says it. */
  readonly size?: number
  readonly modifiedMs?: number
  /** Changes when another file takes this name: an ETag, or size and time. */
  readonly validator?: string
  readonly body: AsyncIterable<Uint8Array>
}

export interface TransientFailureOptions {
  /** How long the server asked us to stay away. */
  readonly retryAfterMs?: number | undefined
  /** Whether the whole server is busy or unreachable, and not only this file. */
  readonly isOfServer?: boolean
  readonly cause?: unknown
}

/** The upstream is busy or badly connected: a retry, or another upstream, may succeed. */
export class TransientFailure extends Failure {
  override readonly retryAfterMs: number | undefined
  readonly isOfServer: boolean

  constructor(message: string, options: TransientFailureOptions = {}) {
    const { retryAfterMs, isOfServer = false, cause } = options
    super('unavailable', message, { cause })
    this.retryAfterMs = retryAfterMs
    this.isOfServer = isOfServer
  }
}

/**
 * Whether a name that an upstream lists may become one name here: not a path, not `..`, and without control
 * characters.
 */
export function isPlainName(name: string): boolean {
  const bare = name.endsWith('/') ? name.slice(0, -1) : name
  return bare !== '' && bare !== '.' && bare !== '..' && !/[\x00-\x1f\x7f/\\]/.test(bare)
}
