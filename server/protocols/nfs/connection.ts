import type { Socket } from 'node:net'
import type { Answer } from './dispatch.ts'
import { RecordReader, writeRecordMark } from './record.ts'

/**
 * The largest call: WRITE is refused, but it must have been read for that, and FSINFO allows 64 KiB for it.
 * Everything else is far smaller.
 */
export const maxRecordBytes = 128 * 1024
/** Calls of one connection that are worked on at once. A client that reads ahead has some sixteen under way. */
const maxRunning = 8
/** Calls that wait. At so many the socket is not read any further; one chunk that brings more is still taken. */
const maxWaiting = 64
/** Answers that the client has not taken yet, in bytes: with more than this nothing new is begun. */
const maxUnsentBytes = 512 * 1024
/** A client that takes nothing of its answers for so long is given up. */
const stallMs = 60_000
/** An idle mount. Linux closes its connection after five minutes itself, and opens a new one when needed. */
const idleMs = 15 * 60_000

/** One TCP connection: records in, answers out in the order in which they are ready. */
export class Connection {
  readonly #socket: Socket
  readonly #answer: (record: Buffer) => Promise<Answer | undefined>
  readonly #records = new RecordReader(maxRecordBytes)
  readonly #waiting: Buffer[] = []
  #running = 0
  #lastMs = performance.now()
  #ending: (() => void) | undefined

  constructor(
    socket: Socket,
    answer: (record: Buffer) => Promise<Answer | undefined>,
    noise: (reason: string) => void,
  ) {
    this.#socket = socket
    this.#answer = answer
    socket.setNoDelay(true)
    socket.setKeepAlive(true, stallMs)
    socket.setTimeout(stallMs, () => this.#quiet())
    socket.on('error', () => undefined) // resets are how clients leave; `close` follows
    socket.on('drain', () => this.#pump())
    socket.on('end', () => socket.end())
    socket.on('data', (chunk: Buffer) => {
      try {
        this.#lastMs = performance.now()
        for (const record of this.#records.push(chunk)) this.#waiting.push(record)
        this.#pump()
      } catch (error) {
        noise(error instanceof Error ? error.message : String(error))
        socket.destroy()
      }
    })
  }

  /** Takes no more calls; resolves when those under way are answered. */
  finish(): Promise<void> {
    this.#socket.pause()
    this.#waiting.length = 0
    if (this.#running === 0 && this.#socket.writableLength === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#ending = resolve
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
    if (this.#ending) {
      if (this.#running === 0 && socket.writableLength === 0) this.#ending()
      return
    }
    if (this.#waiting.length >= maxWaiting) socket.pause()
    else if (socket.isPaused()) socket.resume()
  }

  async #serve(record: Buffer): Promise<void> {
    this.#running++
    const answer = await this.#answer(record)
    this.#running--
    if (answer) this.#send(answer)
    this.#pump()
  }

  #send({ head, payload }: Answer): void {
    const socket = this.#socket
    if (!socket.writable) {
      payload?.release()
      return
    }
    writeRecordMark(head, payload?.bytes.length ?? 0)
    const sent = (): void => {
      payload?.release()
      this.#lastMs = performance.now()
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

  /** The socket was silent for a while: it is stalled, or only idle. */
  #quiet(): void {
    const stalled = this.#socket.writableLength > 0
    if (stalled || performance.now() - this.#lastMs >= idleMs) this.#socket.destroy()
    else this.#socket.setTimeout(stallMs)
  }
}
