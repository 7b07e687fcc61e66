import pLimit from 'p-limit'
import type { DigestAlgorithm } from '../../core/tree/tree.ts'
import type { Entry } from '../../files/source.ts'
import { type Digests, digestPieces, readPieces } from './digests.ts'
import { HashThreads } from './hash-threads.ts'

/** Who is told of the progress of a `Hasher`, and what ends it. */
export interface HasherOptions {
  /** Called as bytes are read; `totalBytes` is what is expected in all, as far as it is known by then. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  readonly signal?: AbortSignal
}

/** A thread needs some 40 ms to start, in which 64 MiB could have been hashed: a quarter of this. */
const worthThreadsBytes = 256 * 1024 * 1024
/** Without threads: a second file keeps the disk busy while the event loop hashes the first. */
const filesAtOnce = 2

/**
 * Computes the digests of one piece of work: in threads when it is large, and on the event loop when it is
 * not.
 */
export class Hasher {
  readonly signal: AbortSignal | undefined
  readonly #onProgress: (bytes: number) => void
  readonly #abort = (): void => void this.stop()
  readonly #limit = pLimit(filesAtOnce)
  #threads: HashThreads | undefined
  #totalBytes = 0
  #doneBytes = 0

  constructor({ onProgress, signal }: HasherOptions = {}) {
    this.signal = signal
    this.#onProgress = (bytes) => {
      this.#doneBytes += bytes
      onProgress?.(this.#doneBytes, this.#totalBytes)
    }
    signal?.addEventListener('abort', this.#abort, { once: true })
  }

  /** The bytes that were read or are expected to be read. */
  get totalBytes(): number {
    return this.#totalBytes
  }

  /**
   * Adds to the bytes that are expected to be read; a negative number subtracts, when a file turns out to be smaller
   * or missing. Starts the threads when the total is worth them.
   */
  expect(bytes: number): void {
    this.#totalBytes += bytes
    if (this.#totalBytes >= worthThreadsBytes && !this.signal?.aborted) this.#threads ??= new HashThreads()
  }

  /** Counts bytes as done that were expected and are there, but are not read: the file has the wrong size. */
  skip(bytes: number): void {
    this.#onProgress(bytes)
  }

  /**
   * @throws When the entry cannot be read. After an abort: the reason of the signal, or Failure `unavailable`
   *   from a thread that was at work.
   */
  async digests(entry: Entry, algorithms: readonly DigestAlgorithm[]): Promise<Digests> {
    this.signal?.throwIfAborted()
    if (this.#threads && entry.extent) return this.#threads.digests(entry, algorithms, this.#onProgress)
    return this.#limit(() => this.#digestsHere(entry, algorithms))
  }

  #digestsHere(entry: Entry, algorithms: readonly DigestAlgorithm[]): Promise<Digests> {
    return digestPieces(readPieces(entry), algorithms, (bytes) => {
      this.signal?.throwIfAborted()
      this.#onProgress(bytes)
    })
  }

  /** Ends the threads. Digests that they have not finished are rejected. */
  async stop(): Promise<void> {
    this.signal?.removeEventListener('abort', this.#abort)
    await this.#threads?.stop()
  }
}
