import { write, writeSync } from 'node:fs'

const stoodStill = 'the reader of the log stood still'

export interface LogWriterOptions {
  /** The descriptor that is written to. Default: standard output. */
  readonly fd?: number
  /** Called when lines can be written again: how many were lost, and why. What it writes takes their place. */
  readonly onLost: (lines: number, why: string) => void
}

/** In characters: so many are written at once. */
const enough = 4096
/** In milliseconds: how long a line waits for others. */
const longestWait = 200
/** In characters. Of what waits beyond, lines are lost: a reader that stands still must not fill our memory. */
const mostWaiting = 2 ** 20
/** In milliseconds: how long the end of the process waits for a reader that takes no more. */
const patienceAtEnd = 1000

/**
 * Writes lines in the background, in pieces of some kilobytes. A log that cannot be written (its disk is full, its
 * reader has ended or stands still) costs lines, and never the server: machines go on being served, and each piece is
 * tried again until there is room.
 *
 * pino's own stream, sonic-boom 4.2, ends the process by such an error. As the process ends, it then writes what it has
 * left, for ever: a server that neither answers nor ends.
 */
export class LogWriter {
  readonly #fd: number
  readonly #options: LogWriterOptions
  #waiting: string[] = []
  #length = 0
  /** What is being written, or could not be written to its end. */
  #piece: Buffer = Buffer.alloc(0)
  #isWriting = false
  #lost = { lines: 0, why: '' }
  #isStopped = false
  readonly #timer: NodeJS.Timeout

  constructor(options: LogWriterOptions) {
    this.#fd = options.fd ?? 1
    this.#options = options
    this.#timer = setInterval(() => this.#send(), longestWait).unref()
    process.once('exit', this.#onExit)
  }

  readonly #onExit = (): void => {
    // What is being written at this moment is with the system already.
    if (this.#isWriting) this.#piece = Buffer.alloc(0)
    this.#writeRest()
  }

  /**
   * Gives up what waits. Must be called before the descriptor is closed while the process goes on: the next file that is
   * opened gets its number, and would get the lines, too.
   */
  stop(): void {
    clearInterval(this.#timer)
    process.off('exit', this.#onExit)
    this.#isStopped = true
  }

  /** Why the last piece could not be written. Empty when it was. */
  get trouble(): string {
    return this.#lost.why
  }

  /** @param line With its line feed. */
  write(line: string): void {
    if (this.#length + this.#piece.length + line.length > mostWaiting) {
      this.#lost.lines++
      return
    }
    this.#waiting.push(line)
    this.#length += line.length
    // After an error only the timer tries again.
    if (this.#length >= enough && this.#lost.why === '') this.#send()
  }

  /** Writes what waits, before the process ends. Never throws: what cannot be written is given up. */
  flush(): void {
    // The process does not end before that is written, and then writes the rest.
    if (!this.#isWriting) this.#writeRest()
  }

  #writeRest(): void {
    const until = performance.now() + patienceAtEnd
    while (this.#load()) {
      try {
        this.#piece = this.#piece.subarray(writeSync(this.#fd, this.#piece))
      } catch (error) {
        if (!isFull(error) || performance.now() > until) return
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
      }
    }
  }

  #send(): void {
    if (this.#isWriting || !this.#load()) return
    this.#isWriting = true
    write(this.#fd, this.#piece, (error, written) => {
      this.#isWriting = false
      if (error) {
        this.#lost.why = isFull(error) ? stoodStill : error.message
        return
      }
      this.#piece = this.#piece.subarray(written)
      if (this.#isStopped) return
      if (this.#piece.length > 0) this.#send()
      else this.#written()
    })
  }

  #written(): void {
    const { lines, why } = this.#lost
    this.#lost = { lines: 0, why: '' }
    if (lines > 0) this.#options.onLost(lines, why || stoodStill)
    if (this.#length >= enough) this.#send()
  }

  /** Whether there is anything to write. */
  #load(): boolean {
    if (this.#isStopped) return false
    if (this.#piece.length > 0) return true
    this.#piece = Buffer.from(this.#waiting.join(''))
    this.#waiting = []
    this.#length = 0
    return this.#piece.length > 0
  }
}

/** Whether a pipe is full, whose reader takes nothing. */
function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN'
}
