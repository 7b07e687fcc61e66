import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Failure, failureMessage } from '../core/failure.ts'
import type { DamagedFile } from '../core/tree/settle.ts'
import type { Digest, DigestAlgorithm } from '../core/tree/tree.ts'
import { isoSource } from '../files/iso/source.ts'
import type { Stamp } from '../files/listing-source.ts'
import { sameStamp, stampAgain } from '../files/listing-source.ts'
import type { VerifyCache } from './verify-cache.ts'

/** Reading from one disk with more than two heads at once makes it slower, and hashing must leave a core to the services. */
const concurrentFiles = 2
const bufferBytes = 1 << 20

/** A file together with the digest that a descriptor names for it. */
export interface Claim {
  /** Relative to the tree, for people. */
  readonly path: string
  readonly stamp: Stamp
  readonly expected: Digest
}

export interface Verification {
  readonly unverified: readonly string[]
  readonly damaged: readonly DamagedFile[]
}

/** Computes digests in the background, each file once however many trees name it, and tells when one is known. */
export class Verifier {
  readonly #cache: VerifyCache
  readonly #onResult: (file: string) => void
  /** By real path and algorithm: what is waiting or being read. */
  readonly #jobs = new Map<string, Job>()
  readonly #unreadable = new Map<string, { stamp: Stamp; error: string }>()
  #running = 0
  #paused = true
  #stopped = false

  /** @param onResult Called with the real path of a file whose digest, or unreadability, became known. */
  constructor(cache: VerifyCache, onResult: (file: string) => void) {
    this.#cache = cache
    this.#onResult = onResult
  }

  /** What is known of these files now. What is not known yet is put in the queue, unless `enqueue` is false. */
  check(claims: readonly Claim[], enqueue: boolean): Verification {
    const unverified: string[] = []
    const damaged: DamagedFile[] = []
    for (const { path, stamp, expected } of claims) {
      const found = this.#cache.get(stamp, expected.algorithm)
      const unreadable = this.#unreadable.get(stamp.file)
      if (found !== undefined) {
        if (found !== expected.hex.toLowerCase()) damaged.push({ path, expected, found })
      } else if (unreadable && sameStamp(unreadable.stamp, stamp)) {
        damaged.push({ path, expected, error: unreadable.error })
      } else {
        unverified.push(path)
        if (enqueue) this.#enqueue(stamp, expected.algorithm)
      }
    }
    return { unverified, damaged }
  }

  /** Whether nothing is waiting or being read. */
  get idle(): boolean {
    return this.#jobs.size === 0
  }

  /** Begins to read what is waiting. Not before: the first look at all trees should not compete with it for the disk. */
  start(): void {
    this.#paused = false
    this.#startNext()
  }

  stop(): void {
    this.#stopped = true
    this.#jobs.clear()
  }

  #enqueue(stamp: Stamp, algorithm: DigestAlgorithm): void {
    const key = `${algorithm}:${stamp.file}`
    const job = this.#jobs.get(key)
    // A waiting job reads whatever is there when its turn comes; a running one notices the change by itself.
    if (this.#stopped || job) return
    this.#jobs.set(key, { key, stamp, algorithm, started: false })
    this.#startNext()
  }

  #startNext(): void {
    if (this.#paused) return
    for (const job of this.#jobs.values()) {
      if (this.#running >= concurrentFiles || this.#stopped) return
      if (job.started) continue
      job.started = true
      this.#running++
      void this.#run(job).finally(() => {
        this.#running--
        this.#jobs.delete(job.key)
        if (!this.#stopped) this.#onResult(job.stamp.file)
        this.#startNext()
      })
    }
  }

  async #run({ stamp, algorithm }: Job): Promise<void> {
    const { file } = stamp
    const before = await stampAgain(stamp)
    if (!before || before.folder) return
    try {
      const hex = before.inside
        ? await digestInside(before.inside, algorithm, () => this.#stopped)
        : await digestFile(file, algorithm, () => this.#stopped)
      // A file that changed while it was read has no digest; whoever watches it asks again.
      if (hex !== undefined && sameStamp(before, await stampAgain(before))) {
        this.#unreadable.delete(file)
        this.#cache.set(before, algorithm, hex)
      }
    } catch (error) {
      this.#unreadable.set(file, { stamp: before, error: failureMessage(error) })
    }
  }
}

interface Job {
  readonly key: string
  readonly stamp: Stamp
  readonly algorithm: DigestAlgorithm
  started: boolean
}

/** Lower-case hex digest of a file, read in large pieces; undefined when `isCancelled` says so meanwhile. */
export async function digestFile(
  file: string,
  algorithm: DigestAlgorithm,
  isCancelled: () => boolean = () => false,
): Promise<string | undefined> {
  const handle = await open(file, 'r')
  try {
    const read = async (buffer: Buffer, at: number) =>
      (await handle.read(buffer, 0, bufferBytes, at)).bytesRead
    return await digestBytes(read, algorithm, isCancelled)
  } finally {
    await handle.close()
  }
}

/** The same for a file inside an ISO image. */
async function digestInside(
  { image, path }: NonNullable<Stamp['inside']>,
  algorithm: DigestAlgorithm,
  isCancelled: () => boolean,
): Promise<string | undefined> {
  const entry = await (await isoSource(image)).stat(path, { protocol: 'internal', address: '127.0.0.1' })
  if (!entry) throw new Failure('not-found', `${image} holds no ${path}`)
  const file = await entry.open()
  try {
    return await digestBytes((buffer, at) => file.read(buffer, 0, bufferBytes, at), algorithm, isCancelled)
  } finally {
    await file.close()
  }
}

async function digestBytes(
  read: (buffer: Buffer, position: number) => Promise<number>,
  algorithm: DigestAlgorithm,
  isCancelled: () => boolean,
): Promise<string | undefined> {
  const hash = createHash(algorithm)
  const buffer = Buffer.allocUnsafeSlow(bufferBytes)
  for (let position = 0; ; ) {
    if (isCancelled()) return undefined
    const count = await read(buffer, position)
    if (count === 0) return hash.digest('hex')
    hash.update(count === bufferBytes ? buffer : buffer.subarray(0, count))
    position += count
  }
}
