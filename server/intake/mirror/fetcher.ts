import { createHash } from 'node:crypto'
import { link, lstat, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Failure, failureMessage } from '../../core/failure.ts'
import { cleanPath } from '../../files/path.ts'
import { digestFile } from '../../verify/background.ts'
import type { OnProgress } from '../import/progress.ts'
import { type FetchOptions, fetchFile, type RemoteFile } from './fetch-file.ts'
import type { UpstreamPool } from './upstream-pool.ts'

export interface FetcherParts {
  readonly pool: UpstreamPool
  /** Where the whole grows. */
  readonly root: string
  /** Where the upstream's own folder lies in it: `BaseOS/x86_64/os`, or ''. */
  readonly prefix: string
  /** For files under way. */
  readonly parts: string
  /** The version that everyone sees now, if there is one: what it has need not be fetched. */
  readonly earlier: string | undefined
  readonly onProgress: OnProgress
  readonly options: FetchOptions
}

const concurrentFiles = 6

function isDamage(error: unknown): boolean {
  return error instanceof Failure && error.cause instanceof Failure && error.cause.kind === 'invalid-data'
}

/** Fetches files into a tree that grows, several at once, and takes what an earlier version or an earlier run has. */
export class Fetcher {
  readonly #parts: FetcherParts
  readonly #seen = new Set<string>()
  readonly #folders = new Set<string>()
  #doneBytes = 0
  #totalBytes = 0
  #files = 0
  /** Files that differ from the earlier version's. */
  changed = 0
  /** Files that were named and that no upstream has, relative to the tree. */
  readonly absent: string[] = []
  /** Why files are left out that no upstream has as they are named: with other bytes, or longer or shorter. */
  readonly damaged: string[] = []

  constructor(parts: FetcherParts) {
    this.#parts = parts
  }

  get files(): number {
    return this.#files
  }

  /** All of these, several at once. */
  async fetchAll(files: readonly RemoteFile[]): Promise<void> {
    this.#totalBytes += files.reduce((sum, file) => sum + (file.size ?? 0), 0)
    const left = files.values()
    const failures: unknown[] = []
    const worker = async (): Promise<void> => {
      for (const file of left) {
        if (failures.length > 0) return
        const found = await this.fetch(file, true).catch((error: unknown) => {
          // The upstream will have it so tomorrow, too: all such files are told together, and the operator may accept it.
          if (isDamage(error)) this.damaged.push(failureMessage(error))
          else failures.push(error)
        })
        if (found === false) this.absent.push(file.path)
      }
    }
    // All have stopped before the failure is told: nobody writes here any more when the job is given free.
    await Promise.all(Array.from({ length: Math.min(concurrentFiles, files.length) }, worker))
    if (failures.length > 0) throw failures[0]
  }

  /** @returns False when no upstream has it. */
  async fetch(file: RemoteFile, isCounted = false): Promise<boolean> {
    const place = this.place(file.path)
    if (this.#seen.has(place)) return true
    this.#seen.add(place)
    if (await this.#isHere(place, file)) return this.#done(file, isCounted)
    if (await this.#takeEarlier(place, file)) return this.#done(file, isCounted)
    const part = join(this.#parts.parts, createHash('sha256').update(place).digest('hex').slice(0, 32))
    // Without a digest only the upstream can tell whether what an earlier run fetched is still the file: it is asked
    // for what comes after its end.
    if (!file.digest) await rename(place, part).catch(() => undefined)
    await this.#makeFolder(this.#parts.parts)
    const { onBytes: _, ...options } = this.#parts.options
    const found = await fetchFile(this.#parts.pool, file, part, {
      ...options,
      onBytes: (bytes) => {
        this.#tell(bytes, file.path, isCounted && file.size !== undefined)
      },
    })
    if (!found) return false
    await this.#makeFolder(dirname(place))
    await rename(part, place)
    if (!(await this.#sameAsEarlier(place))) this.changed++
    this.#files++
    return true
  }

  /** The bytes of a small file that was fetched. */
  read(path: string): Promise<Buffer> {
    return readFile(this.place(path))
  }

  /** Where a file of the upstream lies here. `..` leads beside the tree, and never out of the whole. */
  place(path: string): string {
    const whole = cleanPath(`${this.#parts.prefix}/${path}`)
    const up = this.#parts.prefix.split('/').filter(Boolean).length
    let depth = up
    for (const part of path.split('/')) {
      if (part === '..') depth--
      else if (part !== '' && part !== '.') depth++
      if (depth < 0) throw new Failure('invalid-data', `${path} leads out of the tree`)
    }
    return join(this.#parts.root, whole)
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return
    await mkdir(folder, { recursive: true })
    this.#folders.add(folder)
  }

  async #isHere(place: string, { size, digest }: RemoteFile): Promise<boolean> {
    if (!digest) return false
    const stats = await lstat(place).catch(() => undefined)
    if (!stats?.isFile() || (size !== undefined && stats.size !== size)) return false
    return (await digestFile(place, digest.algorithm)) === digest.hex
  }

  /** A hard link to what the earlier version has, when its digest is the one that is named now. */
  async #takeEarlier(place: string, file: RemoteFile): Promise<boolean> {
    const { earlier, root } = this.#parts
    if (earlier === undefined || !file.digest) return false
    const old = join(earlier, place.slice(root.length))
    if (!(await this.#isHere(old, file))) return false
    await this.#makeFolder(dirname(place))
    await rm(place, { force: true })
    return link(old, place).then(
      () => true,
      () => false,
    )
  }

  async #sameAsEarlier(place: string): Promise<boolean> {
    const { earlier, root } = this.#parts
    if (earlier === undefined) return false
    const old = join(earlier, place.slice(root.length))
    const [now, before] = await Promise.all([lstat(place), lstat(old).catch(() => undefined)])
    if (now.size !== before?.size) return false
    const [a, b] = [await digestFile(place, 'sha256'), await digestFile(old, 'sha256')]
    return a === b
  }

  #done(file: RemoteFile, isCounted: boolean): true {
    this.#files++
    this.#tell(file.size ?? 0, file.path, isCounted && file.size !== undefined)
    return true
  }

  #tell(bytes: number, file: string, isCounted: boolean): void {
    if (isCounted) this.#doneBytes += bytes
    else {
      this.#doneBytes += bytes
      this.#totalBytes += bytes
    }
    this.#parts.onProgress({
      stage: 'fetching',
      doneBytes: this.#doneBytes,
      totalBytes: Math.max(this.#totalBytes, this.#doneBytes),
      files: this.#files,
      file,
    })
  }
}
