import { Failure } from '../../../core/failure.ts'
import type { Entry, OpenFile } from '../../../files/source.ts'
import { FileBuffer, type FileBufferReader } from './file-buffer.ts'

/** Two ways to fill a FileBuffer: with a whole file that stays in memory, or as a ring. */

/**
 * How many octets are read at once. Reading single blocks would cost a trip to the thread pool for each
 * packet.
 */
export const largeChunkBytes = 1024 * 1024
/**
 * The chunks of rings when many rings exist. One holds the largest window (`windowBytes` in wire/options.ts).
 */
export const smallChunkBytes = 256 * 1024

/**
 * Reads an entry from the front into its FileBuffer. It begins when a transfer waits for octets. It reads on
 * until the buffer is full or the file is at its end, and stops when no transfer uses the buffer.
 */
abstract class EntryReader implements FileBufferReader {
  readonly entry: Entry
  protected users = 0
  #file: OpenFile | undefined
  #reading = false

  constructor(entry: Entry) {
    this.entry = entry
  }

  acquire(): void {
    this.users++
  }

  release(): void {
    this.users--
    if (this.users > 0) return
    this.becameIdle()
    if (!this.#reading) void this.#close()
  }

  abstract discardBefore(position: number, buffer: FileBuffer): void
  /** How many octets to read next, at `buffer.filled`; 0 when the buffer has no room or the file is read. */
  protected abstract nextLength(buffer: FileBuffer): number
  /** No transfer uses the buffer any more. */
  protected abstract becameIdle(): void
  /** The entry cannot be opened, or read any further. */
  protected abstract becameUnreadable(): void

  readOn(buffer: FileBuffer): void {
    if (this.#reading || this.nextLength(buffer) === 0) return
    this.#reading = true
    void this.#read(buffer).then(
      () => {
        this.#reading = false
        // `discardBefore` may have made room after the last read.
        if (this.users > 0) this.readOn(buffer)
      },
      (error: unknown) => {
        this.#reading = false
        void this.#close()
        this.becameUnreadable()
        buffer.fail(error)
      },
    )
  }

  async #read(buffer: FileBuffer): Promise<void> {
    this.#file ??= await this.entry.open()
    for (;;) {
      const length = this.users > 0 ? this.nextLength(buffer) : 0
      if (length === 0) break
      const at = buffer.filled % buffer.bytes.length
      const read = await this.#file.read(buffer.bytes, at, length, buffer.filled)
      if (read === 0)
        throw new Failure(
          'invalid-data',
          `${this.entry.name} ends after ${buffer.filled} of ${buffer.size} octets: it was cut while being read`,
        )
      buffer.advance(buffer.filled + read)
    }
    if (this.users === 0 || buffer.filled === buffer.size) await this.#close()
  }

  async #close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close().catch(() => undefined)
  }
}

/** Reads a file that is kept whole. `forget` is called when the file is not worth keeping in the cache. */
export class WholeFileReader extends EntryReader {
  readonly buffer: FileBuffer
  /** Called once when no transfer uses the file any more: an evicted file stays in memory until then. */
  onIdle: (() => void) | undefined
  readonly #forget: () => void

  constructor(entry: Entry, forget: () => void) {
    super(entry)
    this.#forget = forget
    this.buffer = new FileBuffer(entry.size, sharedMemory(entry.size), this)
  }

  get inUse(): boolean {
    return this.users > 0
  }

  /** Nothing is discarded: other transfers of the file need it. */
  discardBefore(): void {}

  protected nextLength(buffer: FileBuffer): number {
    return Math.min(largeChunkBytes, buffer.size - buffer.filled)
  }

  /** A file that was read only in part is forgotten. A size probe must not make us read a whole image. */
  protected becameIdle(): void {
    if (this.buffer.filled < this.buffer.size) this.#forget()
    this.onIdle?.()
    this.onIdle = undefined
  }

  protected becameUnreadable(): void {
    this.#forget()
  }
}

/**
 * Reads a file through a ring of two chunks: blocks are sent from one chunk while the other is being read.
 */
export class RingReader extends EntryReader {
  readonly buffer: FileBuffer
  readonly #chunkBytes: number
  readonly #countRings: (change: 1 | -1) => void
  #discarded = 0

  constructor(entry: Entry, chunkBytes: number, countRings: (change: 1 | -1) => void) {
    super(entry)
    this.#chunkBytes = chunkBytes
    this.#countRings = countRings
    this.buffer = new FileBuffer(entry.size, sharedMemory(2 * chunkBytes), this)
  }

  override acquire(): void {
    super.acquire()
    this.#countRings(1)
  }

  discardBefore(position: number, buffer: FileBuffer): void {
    if (position <= this.#discarded) return
    this.#discarded = position
    this.readOn(buffer)
  }

  /** Reads to the end of a chunk, as soon as the whole rest of the chunk is free. */
  protected nextLength(buffer: FileBuffer): number {
    const { filled, size, bytes } = buffer
    const restOfChunk = this.#chunkBytes - (filled % this.#chunkBytes)
    const room = this.#discarded + bytes.length - filled
    return room < restOfChunk ? 0 : Math.min(restOfChunk, size - filled)
  }

  protected becameIdle(): void {
    this.#countRings(-1)
  }

  protected becameUnreadable(): void {}
}

/** Memory that is filled here while another thread sends from it. */
function sharedMemory(size: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(size))
}
