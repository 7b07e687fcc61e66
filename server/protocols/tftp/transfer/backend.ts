import type { AgreedOptions } from '../wire/options.ts'
import type { FileBuffer } from './file-buffer.ts'

/** What the service and its two backends (node/ and native/) agree on: a job in, a result out. */

/** One transfer, negotiated and ready to start. */
export interface TransferJob {
  /**
   * Our address that the request came to: packets are sent from it. With its zone where IPv6 needs a zone.
   */
  readonly localAddress: string
  readonly remoteAddress: string
  readonly remotePort: number
  readonly family: 4 | 6
  readonly agreed: AgreedOptions
  /** The OACK packet; undefined when the transfer begins with DATA 1. */
  readonly oack: Uint8Array | undefined
  readonly file: FileBuffer
  /** Called exactly once, however the transfer ends. */
  onEnd(result: TransferResult): void
}

export interface TransferResult {
  /** How the transfer ended; see `TransferAction` in transfer.ts. `failed`: we could not read the file or open a socket. */
  readonly end: 'done' | 'probed' | 'aborted' | 'silent' | 'unconfirmed' | 'failed'
  /** Octets of the file that the client has acknowledged; all of them for `unconfirmed`. */
  readonly bytes: number
  /** How often the timer or a repeated ACK made us send packets again. */
  readonly retries?: number
  /** For `aborted`: what the client wrote in its ERROR, or why we ended it. */
  readonly detail?: string
  /** For `failed`. */
  readonly error?: unknown
}

/** How long a full send buffer of our socket keeps a transfer from ending as `silent`. */
export const maxSendBlockedMs = 30_000

/** What the service needs of a transfer that a backend runs. */
export interface RunningTransfer {
  /** When the client's last packet came, by performance.now(); -1 before its first. */
  readonly lastPacketMs: number
  /** Ends the transfer as `aborted` and sends the client an ERROR with this reason. */
  abort(reason: string): void
  /**
   * Ends the transfer as `aborted` without an ERROR. A client that has sent a new request from the same port
   * would take an ERROR for the reply to that request.
   */
  drop(reason: string): void
}

/**
 * Sends files. One backend uses Node's sockets and works everywhere; a faster one uses system calls of Linux.
 */
export interface TransferBackend {
  start(job: TransferJob): RunningTransfer
  /** Closes sockets and threads. The caller has ended all transfers before. */
  close(): Promise<void>
}
