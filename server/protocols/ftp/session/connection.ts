import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import { type ControlLine, LineReader } from '../line/command.ts'

export interface ConnectionOptions {
  readonly socket: Socket
  /** The most bytes of one command line. */
  readonly lineBytes: number
  readonly idleMs: number
  readonly onLines: (lines: readonly ControlLine[]) => void
  /** The client has closed its side. Lines that it sent before may still wait for their replies. */
  readonly onClientEnd: () => void
  /** The client has sent nothing for `idleMs`. */
  readonly onIdle: () => void
  /** The connection is closed. Called once. */
  readonly onClose: () => void
}

/** How long the last reply may take before the socket is destroyed: the client may not read. */
const lastReplyMs = 1000

/** The control connection of a session: lines in, replies out, in the clear or over TLS. */
export class ControlConnection {
  readonly #options: ConnectionOptions
  readonly #reader: LineReader
  #socket: Socket
  #isClosing = false
  #isClosed = false

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#reader = new LineReader(options.lineBytes)
    this.#socket = options.socket
    this.#listen()
  }

  /** Whether the last reply was sent or the connection is closed: no more commands run. */
  get isClosing(): boolean {
    return this.#isClosing
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Whether the client has closed its side. */
  get isClientEnded(): boolean {
    return this.#socket.readableEnded
  }

  send(text: string): void {
    if (this.#socket.writable) this.#socket.write(text)
  }

  /** Sends the last reply and closes. */
  close(text: string): void {
    if (this.#isClosing) return
    this.#isClosing = true
    const socket = this.#socket
    if (!socket.writable) return void socket.destroy()
    socket.end(text, () => socket.destroySoon())
    setTimeout(() => socket.destroy(), lastReplyMs).unref()
  }

  /** Closes our side, if the client has closed its own. Replies are sent before. */
  closeIfClientEnded(): void {
    const socket = this.#socket
    if (socket.readableEnded && !this.#isClosing) socket.end(() => socket.destroySoon())
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /**
   * Continues over TLS. An unfinished line is forgotten: it came unencrypted, so anyone on the way may have
   * sent it.
   */
  startTls(secureContext: SecureContext): void {
    const plain = this.#socket
    // Not 'error': an error without a listener would end the process.
    for (const event of ['data', 'timeout', 'end', 'close']) plain.removeAllListeners(event)
    plain.setTimeout(0)
    this.#reader.clear()
    this.#socket = new TLSSocket(plain, { isServer: true, secureContext })
    this.#listen()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    if (this.#socket.isPaused()) this.#socket.resume()
  }

  /** The idle time begins anew. */
  restartIdleTimer(): void {
    this.#socket.setTimeout(this.#options.idleMs)
  }

  /** Whether replies wait for a client that does not read them. */
  get isBlocked(): boolean {
    return this.#socket.writableNeedDrain
  }

  /** Resolves when the client has taken its replies, or the connection is closed. */
  drained(): Promise<void> {
    const socket = this.#socket
    return new Promise((resolve) => {
      const settle = (): void => {
        socket.off('drain', settle).off('close', settle)
        resolve()
      }
      if (socket.destroyed) settle()
      else socket.on('drain', settle).on('close', settle)
    })
  }

  #listen(): void {
    const socket = this.#socket
    const { idleMs, onLines, onClientEnd, onIdle } = this.#options
    socket.setTimeout(idleMs)
    socket.on('data', (chunk: Buffer) => {
      if (!this.#isClosing) onLines(this.#reader.push(chunk))
    })
    socket.on('timeout', onIdle)
    socket.on('end', onClientEnd)
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => this.#closed())
  }

  #closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isClosing = true
    this.#options.onClose()
  }
}
