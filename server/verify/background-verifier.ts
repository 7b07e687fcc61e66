import pLimit from 'p-limit'
import { defined } from '../core/defined.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import { internalRequester } from '../core/net/requester.ts'
import type { DamagedFile } from '../core/tree/settle.ts'
import type { Digest, DigestAlgorithm } from '../core/tree/tree.ts'
import { entryOfFile } from '../files/disk.ts'
import { isoSource } from '../files/iso/source.ts'
import type { Stamp } from '../files/listing-source.ts'
import { sameStamp, stampAgain } from '../files/listing-source.ts'
import type { Entry } from '../files/source.ts'
import { Hasher, type HasherOptions } from './digests/hasher.ts'
import type { VerifyCache } from './verify-cache.ts'

/**
 * Reading at more than two places of one disk makes it slower, and hashing must leave a core to the services.
 */
const filesAtOnce = 2

/** A file of a tree that is read: to compare it, or only to know its SHA-256. */
export interface FileToRead {
  /** Relative to the tree, for messages. */
  readonly path: string
  readonly stamp: Stamp
  /** The digest that a descriptor names. */
  readonly expected?: Digest
}

/** What is known of the files of a tree. Paths are relative to the tree. */
export interface Verification {
  /** Files whose digest is named and not computed yet. */
  readonly unverified: readonly string[]
  /** Files without a named digest that were not read yet. */
  readonly unread: readonly string[]
  readonly damaged: readonly DamagedFile[]
}

/** A digest that is to be computed. */
interface DigestJob {
  readonly key: string
  readonly stamp: Stamp
  readonly algorithm: DigestAlgorithm
}

/**
 * Computes digests of the files that a boot needs while the server runs, and calls back when one is known. It
 * computes each digest once, however many trees name the file. A tree copied by hand is offered only after
 * its digests were found right. A published version was verified before: it is offered at once and checked
 * again.
 */
export class BackgroundVerifier {
  readonly #cache: VerifyCache
  readonly #onResult: (file: string) => void
  readonly #onProgress: HasherOptions['onProgress']
  /** Jobs that wait or run, by algorithm and real path. */
  readonly #jobs = new Map<string, DigestJob>()
  readonly #unreadable = new Map<string, { stamp: Stamp; error: string }>()
  readonly #limit = pLimit(filesAtOnce)
  readonly #stopping = new AbortController()
  /** Exists only while there are jobs, so that threads do not stay without work. */
  #hasher: Hasher | undefined
  #started = false
  #whenIdle: (() => void)[] = []

  /**
   * @param onResult Called with the real path of a file when its digest was computed, or when it could not be
   *   read.
   * @param onProgress Called as bytes are read.
   */
  constructor(
    cache: VerifyCache,
    onResult: (file: string) => void,
    onProgress?: HasherOptions['onProgress'],
  ) {
    this.#cache = cache
    this.#onResult = onResult
    this.#onProgress = onProgress
  }

  /**
   * Compares these files with the digests that are known now, and finds out which are not read yet. A digest that is not known yet is queued to be
   * computed, unless `enqueue` is false.
   */
  check(files: readonly FileToRead[], enqueue: boolean): Verification {
    const unverified: string[] = []
    const unread: string[] = []
    const damaged: DamagedFile[] = []
    for (const { path, stamp, expected } of files) {
      const algorithm = expected?.algorithm ?? 'sha256'
      const found = this.#cache.get(stamp, algorithm)
      if (found !== undefined) {
        if (expected && found !== expected.hex.toLowerCase()) damaged.push({ path, expected, found })
        continue
      }
      const error = this.#whyUnreadable(stamp)
      if (error !== undefined) {
        damaged.push({ path, error })
        continue
      }
      const unknown = expected ? unverified : unread
      unknown.push(path)
      if (enqueue) this.#enqueue(stamp, algorithm)
    }
    return { unverified, unread, damaged }
  }

  #whyUnreadable(stamp: Stamp): string | undefined {
    const unreadable = this.#unreadable.get(stamp.file)
    return unreadable && sameStamp(unreadable.stamp, stamp) ? unreadable.error : undefined
  }

  /** The SHA-256 of a file, when it was computed. */
  sha256(stamp: Stamp): string | undefined {
    return this.#cache.get(stamp, 'sha256')
  }

  /** Whether no job waits or runs. */
  get idle(): boolean {
    return this.#jobs.size === 0
  }

  /** Resolves when no job waits or runs. Call it after `start`. */
  untilIdle(): Promise<void> {
    if (this.idle) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  /** Begins to read files. Called after the first scan of all trees, which needs the disk for itself. */
  start(): void {
    this.#started = true
    for (const job of this.#jobs.values()) this.#schedule(job)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#jobs.clear()
    this.#tellIdle()
    await this.#hasher?.stop()
  }

  #tellIdle(): void {
    for (const resolve of this.#whenIdle.splice(0)) resolve()
  }

  #enqueue(stamp: Stamp, algorithm: DigestAlgorithm): void {
    const key = `${algorithm}:${stamp.file}`
    // A waiting job reads what is there when its turn comes, and a running job notices a change by itself.
    if (this.#stopping.signal.aborted || this.#jobs.has(key)) return
    const job: DigestJob = { key, stamp, algorithm }
    this.#jobs.set(key, job)
    if (this.#started) this.#schedule(job)
  }

  #schedule(job: DigestJob): void {
    const { signal } = this.#stopping
    this.#hasher ??= new Hasher(defined({ signal, onProgress: this.#onProgress }))
    const hasher = this.#hasher
    hasher.expect(job.stamp.size)
    void this.#limit(async () => {
      if (signal.aborted) return
      await this.#run(job, hasher)
      this.#jobs.delete(job.key)
      if (!signal.aborted) this.#onResult(job.stamp.file)
      if (!this.idle) return
      this.#tellIdle()
      await this.#endThreads(hasher)
    })
  }

  /**
   * Ends the threads of a hasher. A new hasher may be at work already, when the last result has led to new
   * jobs.
   */
  async #endThreads(hasher: Hasher): Promise<void> {
    if (this.#hasher === hasher) this.#hasher = undefined
    await hasher.stop()
  }

  async #run({ stamp, algorithm }: DigestJob, hasher: Hasher): Promise<void> {
    const before = await stampAgain(stamp)
    if (!before || before.folder) return
    // A file that changes while it is read gets no digest. Its tree notices the change and queues it again.
    const isSame = async () => sameStamp(before, await stampAgain(before))
    try {
      const digests = await hasher.digests(await entryOf(before), [algorithm])
      const hex = digests[algorithm]
      if (hex === undefined || !(await isSame())) return
      this.#unreadable.delete(stamp.file)
      this.#cache.set(before, algorithm, hex)
    } catch (error) {
      if (this.#stopping.signal.aborted || !(await isSame())) return
      this.#unreadable.set(stamp.file, { stamp: before, error: failureMessage(error) })
    }
  }
}

async function entryOf({ file, inside }: Stamp): Promise<Entry> {
  const entry = inside
    ? await (await isoSource(inside.image)).stat(inside.path, internalRequester)
    : await entryOfFile(file)
  if (entry) return entry
  throw new Failure(
    'not-found',
    inside ? `${inside.image} does not hold ${inside.path}` : `${file} is missing`,
  )
}
