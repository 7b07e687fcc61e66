import type { Socket } from 'node:net'
import { requestLimits } from '../../core/limits/requests.ts'
import type { RpcReply } from './dispatch.ts'
import { RecordReader, writeRecordMark } from './record.ts'

/**
 * The largest call. A WRITE is refused, but it must be read before that, and FSINFO allows 64 KiB for it. All
 * other calls are far smaller.
 */
export const maxRecordBytes = requestLimits.nfsRecord.bytes
/**
 * Calls of one connection that run at once: each may be a READ, which holds a buffer of 512 KiB. A client that
 * reads ahead sends some sixteen at once, and the others wait.
 */
const maxRunning = 8
/** Calls that may wait before the socket is paused. A chunk that brings more calls is still taken whole. */
const maxWaiting = 64
/** The most bytes of replies that the client has not read yet. Above this no new call is begun. */
const maxUnsentBytes = 512 * 1024
/** A client that reads none of its replies for this long is disconnected. */
const stallMs = 60_000
/**
 * How long a mount may be idle. Linux closes its connection after five minutes, and opens a new one when
 * needed.
 */
const idleMs = 15 * 60_000

/** One TCP connection: reads calls, and sends replies in the order in which they are ready. */
export class Connection {
  readonly #socket: Socket
  readonly #handle: (record: Buffer) => Promise<RpcReply | undefined>
  readonly #records = new RecordReader(maxRecordBytes)
  readonly #waiting: Buffer[] = []
  #running = 0
  #lastActiveMs = performance.now()
  #onFinished: (() => void) | undefined

  /** @param noise Is told why the connection is closed, when the client sends what cannot be records. */
  constructor(
    socket: Socket,
    handle: (record: Buffer) => Promise<RpcReply | undefined>,
    noise: (reason: string) => void,
  ) {
    this.#socket = socket
    this.#handle = handle
    socket.setNoDelay(true)
    socket.setKeepAlive(true, stallMs)
    socket.setTimeout(stallMs, () => this.#onSilence())
    socket.on('error', () => undefined) // resets are how clients leave; `close` follows
    socket.on('drain', () => this.#pump())
    socket.on('end', () => socket.end())
    socket.on('data', (chunk: Buffer) => {
      try {
        this.#lastActiveMs = performance.now()
        for (const record of this.#records.push(chunk)) this.#waiting.push(record)
        this.#pump()
      } catch (error) {
        noise(error instanceof Error ? error.message : String(error))
        socket.destroy()
      }
    })
  }

  /** Takes no more calls. Resolves when all running calls have their replies. */
  finish(): Promise<void> {
    this.#socket.pause()
    this.#waiting.length = 0
    if (this.#running === 0 && this.#socket.writableLength === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onFinished = resolve
    })
  }

  #pump(): void {
    const socket = this.#socket
    while (
      this.#waiting.length > 0 &&
      this.#running < maxRunning &&
      socket.writableLength < maxUnsentBytes &&
      !socket.destroyed
    ) {
      const record = this.#waiting.shift()
      if (record) void this.#serve(record)
    }
    if (this.#onFinished) {
      if (this.#running === 0 && socket.writableLength === 0) this.#onFinished()
      return
    }
    if (this.#waiting.length >= maxWaiting) socket.pause()
    else if (socket.isPaused()) socket.resume()
  }

  async #serve(record: Buffer): Promise<void> {
    this.#running++
    const reply = await this.#handle(record)
    this.#running--
    if (reply) this.#send(reply)
    this.#pump()
  }

  #send({ head, payload }: RpcReply): void {
    const socket = this.#socket
    if (!socket.writable) {
      payload?.release()
      return
    }
    writeRecordMark(head, payload?.bytes.length ?? 0)
    const sent = (): void => {
      payload?.release()
      this.#lastActiveMs = performance.now()
      this.#pump()
    }
    if (!payload || payload.bytes.length === 0) {
      socket.write(head, sent)
      return
    }
    socket.cork()
    socket.write(head)
    socket.write(payload.bytes, sent)
    socket.uncork()
  }

  /**
   * Nothing has moved for `stallMs`: closes the connection of a stalled client, or of one idle for `idleMs`.
   */
  #onSilence(): void {
    const stalled = this.#socket.writableLength > 0
    if (stalled || performance.now() - this.#lastActiveMs >= idleMs) this.#socket.destroy()
    else this.#socket.setTimeout(stallMs)
  }
}
