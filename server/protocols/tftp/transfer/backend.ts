import type { Agreed } from '../wire/negotiate.ts'
import type { Content } from './content.ts'

/** One transfer, decided and ready to go. */
export interface Job {
  /** Our address that was asked, and from which the answer comes; with its zone where IPv6 needs one. */
  readonly localAddress: string
  readonly remoteAddress: string
  readonly remotePort: number
  readonly family: 4 | 6
  readonly agreed: Agreed
  /** The OACK packet, when there is one. */
  readonly oack: Uint8Array | undefined
  readonly content: Content
  /** Called once, whatever happens. */
  settled(result: JobResult): void
}

export interface JobResult {
  /** As in Transfer; `failed` is our own side: a file that cannot be read, a socket that cannot be had. */
  readonly end: 'done' | 'probed' | 'aborted' | 'silent' | 'failed'
  /** Octets of the file that the client has acknowledged. */
  readonly bytes: number
  /** What the client said in its ERROR. */
  readonly detail?: string
  /** For `failed`. */
  readonly error?: unknown
}

/** A socket that has had no room for so long stands before a dead line. */
export const maxBlockedMs = 30_000

/** A transfer on its way. */
export interface Carriage {
  /** When the client was last heard, on performance.now()'s clock; -1 for never. */
  readonly heardMs: number
  /**
   * Ends it; the job is settled as `aborted` for this reason. Unless `quietly`, the client is told by an ERROR: one
   * that has already asked anew from the same port would take that for its answer.
   */
  abort(reason: string, quietly?: 'quietly'): void
}

/** Moves packets. There is one made of Node's own sockets, which works everywhere, and a faster one for Linux. */
export interface Carrier {
  carry(job: Job): Carriage
  /** Frees what it holds. Transfers have ended by then. */
  close(): Promise<void>
}
