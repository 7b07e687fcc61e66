import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import { failureKind, failureMessage } from '../../../core/failure.ts'
import type { DataPort } from '../data/data-port.ts'
import { failureReply, type Reply } from '../line/reply.ts'
import type { Progress, Transfer, TransferResult } from '../verbs/verb.ts'
import type { FtpLimits } from './limits.ts'

export interface TransferRunnerOptions {
  readonly dataPort: DataPort
  readonly limits: FtpLimits
  readonly secure: SecureContext | undefined
  readonly send: (reply: Reply) => void
  /** Whether the control connection ended although the client has not sent QUIT. */
  readonly isClientGone: () => boolean
  /** Called when `Transfer.end`, which closes the file, has failed. The client has its last reply by then. */
  readonly onEndFailure: (error: unknown) => void
}

interface Running {
  readonly title: string
  bytes: number
  isAborted: boolean
  socket: Socket | undefined
}

/** How a transfer ended, with the last reply to the client. */
type Ending = Omit<TransferResult, 'bytes'> & { readonly reply: Reply }

const aborted: Ending = { reply: { code: 426, text: 'Aborted' }, outcome: 'aborted' }

/**
 * Runs the transfers of a session, one at a time, from the first reply to the last (RFC 959 section 5.4). The
 * first is 150, or 425 without a data connection. The last is 226; 426 when either side ended the transfer
 * early; or the reply for the kind of failure.
 */
export class TransferRunner {
  readonly #options: TransferRunnerOptions
  #running: Running | undefined
  /** ABOR came and has no reply yet. Until then no transfer begins. */
  #isAbortRequested = false

  constructor(options: TransferRunnerOptions) {
    this.#options = options
  }

  /** The transfer that is under way. */
  get progress(): Progress | undefined {
    return this.#running
  }

  /** ABOR came: ends the running transfer, and lets no transfer begin before the reply to ABOR. */
  requestAbort(): void {
    this.#isAbortRequested = true
    this.abort()
  }

  /** ABOR gets its reply now: transfers may begin again. */
  endAbort(): void {
    this.#isAbortRequested = false
  }

  /** Ends the running transfer: its data connection is closed, and the client gets 426. */
  abort(): void {
    if (!this.#running) return
    this.#running.isAborted = true
    this.#options.dataPort.close()
    this.#running.socket?.destroy()
  }

  /** Resolves after the last reply. */
  async run(transfer: Transfer, protectsData: boolean): Promise<void> {
    const running: Running = { title: transfer.title, bytes: 0, isAborted: false, socket: undefined }
    const { reply, ...result } = await this.#attempt(transfer, running, protectsData)
    this.#running = undefined
    this.#options.send(reply)
    try {
      await transfer.end?.({ ...result, bytes: running.bytes })
    } catch (error) {
      this.#options.onEndFailure(error)
    }
  }

  async #attempt(transfer: Transfer, running: Running, protectsData: boolean): Promise<Ending> {
    const { dataPort, send } = this.#options
    if (!dataPort.isArranged) {
      const reply = {
        code: 425,
        text: 'No data connection was arranged; send EPSV, PASV, EPRT or PORT first',
      }
      return { reply, outcome: 'failed', kind: 'bad-request', detail: 'no data connection was arranged' }
    }
    if (this.#isAbortRequested) return aborted
    this.#running = running
    let plain: Socket
    try {
      plain = await dataPort.take()
    } catch (error) {
      const reply = running.isAborted ? aborted.reply : { code: 425, text: "Can't open data connection" }
      return { reply, outcome: 'aborted', detail: failureMessage(error) }
    }
    running.socket = plain
    if (running.isAborted) {
      plain.destroy()
      return aborted
    }
    send({ code: 150, text: transfer.title })
    const socket = this.#prepare(plain, protectsData)
    running.socket = socket
    return this.#move(transfer, running, socket)
  }

  async #move(transfer: Transfer, running: Running, socket: Socket): Promise<Ending> {
    const { limits, isClientGone } = this.#options
    const moved = (count: number): void => {
      running.bytes += count
      socket.setTimeout(limits.stallMs) // sendfile moves bytes that the socket does not count
    }
    try {
      const isWhole = await transfer.move({ socket, moved, isClientGone })
      if (!isWhole || running.isAborted) {
        const text = 'The data connection broke; the transfer is not complete'
        return { reply: { code: 426, text }, outcome: 'aborted' }
      }
      await finish(socket)
      return { reply: { code: 226, text: 'Transfer complete' }, outcome: 'complete' }
    } catch (error) {
      socket.destroy()
      const detail = failureMessage(error)
      if (running.isAborted) return { ...aborted, detail }
      return { reply: failureReply(error), outcome: 'failed', kind: failureKind(error), detail }
    }
  }

  /**
   * Makes the socket that the bytes go through: over TLS after `PROT P`, and closed when no byte moves for
   * `stallMs`.
   */
  #prepare(plain: Socket, protectsData: boolean): Socket {
    const { secure: secureContext, limits } = this.#options
    const socket =
      protectsData && secureContext ? new TLSSocket(plain, { isServer: true, secureContext }) : plain
    socket.on('error', () => {}) // 'close' follows, and `move` handles that
    socket.setTimeout(limits.stallMs)
    socket.on('timeout', () => socket.destroy())
    return socket
  }
}

/**
 * Sends our FIN after the last byte. Bytes that the client still sends are read and dropped, so that its FIN
 * is seen.
 */
function finish(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
    socket.resume()
    socket.end(() => resolve())
  })
}
