import { Failure } from '../../core/failure.ts'

/** One answer of an upstream: bytes from `start` on. */
export interface RemoteBody {
  /** 0 although another place was asked for: the upstream cannot resume, or has another file now. */
  readonly start: number
  /** Of the whole file, when the upstream tells. */
  readonly size?: number
  readonly modifiedMs?: number
  /** Tells this file from another under the same name. */
  readonly validator?: string
  readonly body: AsyncIterable<Uint8Array>
}

export interface Wanted {
  /** The first byte that is missing. */
  readonly start: number
  /** Of what is here already. */
  readonly validator?: string
  readonly signal?: AbortSignal
}

/** A place that a tree can be fetched from. Paths are relative to `url` and may begin with `..`. */
export interface Upstream {
  /** With a slash at its end. */
  readonly url: string
  /** Undefined when there is no such file. Rejects with `Trouble` when trying again may help, `forbidden` when not. */
  get(path: string, wanted: Wanted): Promise<RemoteBody | undefined>
  /** Names in a folder, those of folders with a slash at their end; undefined when it cannot be listed. Rejects as `get`. */
  list(path: string, signal?: AbortSignal): Promise<readonly string[] | undefined>
  close(): Promise<void>
}

export interface TroubleFacts {
  /** How long it asked us to stay away. */
  readonly retryAfterMs?: number | undefined
  /** It is the server that is busy or out of reach, and not this one file that cannot be had. */
  readonly isOfServer?: boolean
  readonly cause?: unknown
}

/** The upstream is busy, or the way to it is bad: later, or from another, it may work. */
export class Trouble extends Failure {
  readonly retryAfterMs: number | undefined
  readonly isOfServer: boolean

  constructor(message: string, { retryAfterMs, isOfServer = false, cause }: TroubleFacts = {}) {
    super('unavailable', message, { cause })
    this.retryAfterMs = retryAfterMs
    this.isOfServer = isOfServer
  }
}

/** A name that an upstream lists may become one name here: no path, nothing hidden in it, no way up. */
export function isPlainName(name: string): boolean {
  const bare = name.endsWith('/') ? name.slice(0, -1) : name
  return bare !== '' && bare !== '.' && bare !== '..' && !/[\x00-\x1f\x7f/\\]/.test(bare)
}
