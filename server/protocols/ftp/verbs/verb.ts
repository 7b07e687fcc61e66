/**
 * The type of a verb: a function from the session's state and an argument to a reply, or to a transfer that
 * the session runs.
 */

import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { FailureKind } from '../../../core/failure.ts'
import type { Requester } from '../../../core/net/requester.ts'
import type { EventSink } from '../../../events/bus.ts'
import type { BufferPool } from '../../../files/buffers.ts'
import type { FileSource } from '../../../files/source.ts'
import type { UploadArea } from '../../../files/upload-area.ts'
import type { DataPort } from '../data/data-port.ts'
import type { HeldListings } from '../data/held-listings.ts'
import type { Reply } from '../line/reply.ts'
import type { FtpLimits, LoginGuard } from '../session/limits.ts'
import type { SessionState, StateChange } from '../session/state.ts'

/** What somebody logs in with. */
export interface FtpLogin {
  readonly user: string
  readonly password: string
  /** The address of the client. */
  readonly from: string
  /** Whether the control connection is encrypted. */
  readonly isSecure: boolean
}

export type Authenticate = (login: FtpLogin) => boolean | Promise<boolean>

/** The namespace, the upload area and the settings: what all sessions of the service share. */
export interface FtpContext {
  /** The namespace as it is now. */
  readonly source: () => FileSource
  readonly events: EventSink
  readonly limits: FtpLimits
  readonly pool: BufferPool
  readonly guard: LoginGuard
  readonly listings: HeldListings
  /** Undefined: TLS is not offered. */
  readonly secure: SecureContext | undefined
  /**
   * Whether user and password are those of an administrator. Without this function only `anonymous` may log
   * in.
   */
  readonly authenticate: Authenticate | undefined
  readonly uploads: UploadArea | undefined
  /** The IPv4 address in the reply to PASV, for a server behind NAT. */
  readonly publicAddress: string | undefined
}

/** The client of a session. Our address that it reached is always known: PASV tells it to the client. */
export type FtpClient = Requester & { readonly localAddress: string }

/** What a verb may use of its own session, besides the state. */
export interface VerbContext extends FtpContext {
  readonly client: FtpClient
  readonly dataPort: DataPort
  /** The transfer that is under way: only STAT runs during a transfer. */
  readonly progress: Progress | undefined
}

/** What STAT shows of a running transfer. */
export interface Progress {
  readonly title: string
  /** Moved so far. */
  readonly bytes: number
}

/** The reply to a command, with its effects on the session. */
export interface VerbReply extends Reply {
  /** The fields of the session's state that change. */
  readonly set?: StateChange | undefined
  /** A message for the log, when the client did something unusual. */
  readonly noise?: string
  /** What happens to the control connection after the reply. */
  readonly afterwards?: 'close' | 'start-tls'
}

/** A transfer over the data connection. The session runs it: see `session/transfer.ts`. */
export interface Transfer {
  /** The text of the reply 150, and what STAT shows. */
  readonly title: string
  /** The fields of the session's state that change. */
  readonly set?: StateChange | undefined
  /** Moves the bytes; resolves to whether all of them went through. */
  move(data: TransferData): Promise<boolean>
  /** Closes the file and reports the result. Called once, after the last reply, also when no byte was moved. */
  end?(result: TransferResult): void | Promise<void>
}

export interface TransferData {
  readonly socket: Socket
  /** To be called whenever bytes were moved. */
  readonly moved: (count: number) => void
  /** Whether the control connection ended although the client has not sent QUIT. */
  readonly isClientGone: () => boolean
}

export interface TransferResult {
  readonly outcome: 'complete' | 'aborted' | 'failed'
  /** For `failed`: the kind of failure. */
  readonly kind?: FailureKind
  readonly detail?: string
  readonly bytes: number
}

export type VerbFunction = (
  state: SessionState,
  argument: string,
  context: VerbContext,
) => VerbReply | Transfer | Promise<VerbReply | Transfer>

/** A command as the table lists it. */
export interface Verb {
  /** Who may use it: everyone, users who are logged in, or administrators if there is an upload area. */
  readonly for: 'anyone' | 'logged-in' | 'administrators'
  /** Fields that this command uses up, whether or not it succeeds. `run` still sees their old values. */
  readonly spends?: StateChange | undefined
  /** A failure that it throws becomes a reply. */
  readonly run: VerbFunction
}

export function forAnyone(run: VerbFunction): Verb {
  return { for: 'anyone', run }
}

export function forLoggedIn(run: VerbFunction, spends?: StateChange): Verb {
  return { for: 'logged-in', run, spends }
}

export function forAdministrators(run: VerbFunction, spends?: StateChange): Verb {
  return { for: 'administrators', run, spends }
}

export function reply(code: number, text: string, set?: StateChange): VerbReply {
  return { code, text, set }
}

/** Whether a lookup gave the reply that there is nothing, instead of what it found. */
export function isReply(found: object): found is VerbReply {
  return 'code' in found
}

/** A reply of several lines. */
export function replyLines(code: number, first: string, lines: Iterable<string>, last: string): VerbReply {
  return { code, first, lines, text: last }
}
