import { createHash } from 'node:crypto'
import type { DigestAlgorithm } from '../../core/tree/tree.ts'
import type { Entry } from '../../files/source.ts'
import { readPieces } from '../walk.ts'
import { HashThreads } from './hash-threads.ts'
import type { Digests } from './message.ts'

export interface HasherOptions {
  /** Called as bytes are read; `totalBytes` is what is expected by then. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  readonly signal?: AbortSignal
}

/** A thread is there in some 40 ms, in which 64 MiB could have been hashed. */
const worthThreadsBytes = 256 * 1024 * 1024
/** Without threads: a second file keeps the disk busy while the event loop hashes. */
const readAtOnce = 2

/** Computes digests for one piece of work: in threads when it is large, and right here when it is not. */
export class Hasher {
  readonly signal: AbortSignal | undefined
  readonly #onProgress: (bytes: number) => void
  readonly #abort = (): void => void this.stop()
  #threads: HashThreads | undefined
  #totalBytes = 0
  #doneBytes = 0
  #reading = 0
  readonly #waiting: (() => void)[] = []

  constructor({ onProgress, signal }: HasherOptions = {}) {
    this.signal = signal
    this.#onProgress = (bytes) => {
      this.#doneBytes += bytes
      onProgress?.(this.#doneBytes, this.#totalBytes)
    }
    signal?.addEventListener('abort', this.#abort, { once: true })
  }

  /** Everything that is expected, or was read. */
  get totalBytes(): number {
    return this.#totalBytes
  }

  /** So many more bytes than it was told before, or fewer. */
  expect(bytes: number): void {
    this.#totalBytes += bytes
    if (this.#totalBytes >= worthThreadsBytes && !this.signal?.aborted) this.#threads ??= new HashThreads()
  }

  /** Bytes that were expected and need not be read. */
  skip(bytes: number): void {
    this.#onProgress(bytes)
  }

  /** @throws When the entry cannot be read to its end, or the signal says so. */
  async digests(entry: Entry, algorithms: readonly DigestAlgorithm[]): Promise<Digests> {
    this.signal?.throwIfAborted()
    if (this.#threads && entry.extent) return this.#threads.digests(entry, algorithms, this.#onProgress)
    while (this.#reading >= readAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#reading++
    try {
      return await this.#digestsHere(entry, algorithms)
    } finally {
      this.#reading--
      this.#waiting.shift()?.()
    }
  }

  async #digestsHere(entry: Entry, algorithms: readonly DigestAlgorithm[]): Promise<Digests> {
    const hashes = algorithms.map((name) => [name, createHash(name)] as const)
    for await (const piece of readPieces(entry)) {
      this.signal?.throwIfAborted()
      for (const [, hash] of hashes) hash.update(piece)
      this.#onProgress(piece.length)
    }
    return Object.fromEntries(hashes.map(([name, hash]) => [name, hash.digest('hex')]))
  }

  /** Ends the threads; what they are at is rejected. */
  async stop(): Promise<void> {
    this.signal?.removeEventListener('abort', this.#abort)
    await this.#threads?.stop()
  }
}
