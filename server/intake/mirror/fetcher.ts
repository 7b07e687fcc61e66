import { createHash } from 'node:crypto'
import { link, lstat, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { defined } from '../../core/defined.ts'
import { Failure, failureMessage } from '../../core/failure.ts'
import { cleanPath, pathInside } from '../../files/path.ts'
import type { FreeSpace } from '../../host/free-space.ts'
import { forEachAtOnce } from '../../host/pool.ts'
import { digestFile } from '../../verify/digests/digests.ts'
import type { OnProgress } from '../import/progress.ts'
import { fetchFile, type RemoteFile } from './fetch-file.ts'
import type { UpstreamPool } from './upstream-pool.ts'

/** What all files of one tree share while they are fetched. */
export interface FetcherContext {
  readonly pool: UpstreamPool
  /** The folder that is filled with the tree. */
  readonly root: string
  /** The upstream's folder relative to `root`: `BaseOS/x86_64/os`, or ''. */
  readonly prefix: string
  /** The folder for files that are not complete yet. */
  readonly parts: string
  /** Real path of the current version, if there is one: files that it has need not be fetched. */
  readonly currentVersion: string | undefined
  readonly onProgress: OnProgress
  readonly signal: AbortSignal | undefined
  readonly space?: FreeSpace
}

const concurrentFiles = 6

/**
 * Fetches files into a growing tree, several at once. Files that the current version or an earlier run has
 * are taken from there.
 */
export class Fetcher {
  readonly #context: FetcherContext
  readonly #seen = new Set<string>()
  readonly #folders = new Set<string>()
  #doneBytes = 0
  #totalBytes = 0
  #files = 0
  /** How many files differ from the current version's. */
  changed = 0
  /** Files that were named and that no upstream has, relative to the tree. */
  readonly absent: string[] = []
  /** What else people should know of the files that were named. */
  readonly notes: string[] = []
  /** One line for each file that is left out because no upstream has it with the named bytes. */
  readonly damaged: string[] = []
  /** Local paths of the documents that named those: each may be what is damaged. */
  readonly suspects = new Set<string>()

  constructor(context: FetcherContext) {
    this.#context = context
  }

  /** How many files the tree has so far. */
  get files(): number {
    return this.#files
  }

  /** Fetches all these files, several at once. When it rejects, every fetch has ended. */
  async fetchAll(files: readonly RemoteFile[]): Promise<void> {
    this.#totalBytes += files.reduce((sum, file) => sum + (file.size ?? 0), 0)
    await forEachAtOnce(files, concurrentFiles, async (file) => {
      try {
        if (!(await this.#fetch(file, { isCounted: file.size !== undefined }))) this.absent.push(file.path)
      } catch (error) {
        // A retry would get the same bytes. All such files are reported together, and the operator may accept
        // them.
        if (!isDamage(error)) throw error
        this.damaged.push(failureMessage(error))
        // Without a digest of its own it would be kept for the next run.
        if (file.by !== undefined) this.suspects.add(this.place(file.by))
      }
    })
  }

  /** Fetches one file; false when no upstream has it. */
  fetch(file: RemoteFile): Promise<boolean> {
    return this.#fetch(file, { isCounted: false })
  }

  /** Whether a file is there, whole. */
  async has(path: string): Promise<boolean> {
    return (await lstat(this.place(path)).catch(() => undefined)) !== undefined
  }

  /** The bytes of a small file that was fetched. */
  read(path: string): Promise<Buffer> {
    return readFile(this.place(path))
  }

  /** The local path of a file of the upstream. `..` may lead beside the tree, and never out of `root`. */
  place(path: string): string {
    const { root, prefix } = this.#context
    const inTree = pathInside(cleanPath(prefix), path.replace(/^\/+/, ''))
    if (inTree === undefined) throw new Failure('invalid-data', `${path} leads out of the tree`)
    return join(root, inTree)
  }

  /** @param isCounted Whether the size of the file is part of `#totalBytes` already. */
  async #fetch(file: RemoteFile, { isCounted }: { readonly isCounted: boolean }): Promise<boolean> {
    const place = this.place(file.path)
    // Asked for before: whether it came was told then.
    if (this.#seen.has(place)) return true
    this.#seen.add(place)
    // Neither counts as changed. An intact file of an earlier run may differ from the current version's, but
    // then the document that names its digest has changed, too.
    if ((await this.#isIntact(place, file)) || (await this.#linkCurrent(place, file))) {
      this.#files++
      this.#report(file.size ?? 0, file.path, isCounted)
      return true
    }
    if (!(await this.#download(place, file, isCounted))) return false
    if (!(await this.#isSameAsCurrent(place))) this.changed++
    this.#files++
    return true
  }

  async #download(place: string, file: RemoteFile, isCounted: boolean): Promise<boolean> {
    const { parts, pool, signal, space } = this.#context
    const part = join(parts, createHash('sha256').update(place).digest('hex').slice(0, 32))
    // Without a digest only the upstream knows whether the file of an earlier run is still current: we ask it
    // for the bytes after our last one.
    if (!file.digest) await moveOwn(place, part)
    await this.#makeFolder(parts)
    const onBytes = (bytes: number) => this.#report(bytes, file.path, isCounted)
    if (!(await fetchFile(pool, file, part, { onBytes, ...defined({ signal, space }) }))) return false
    await this.#makeFolder(dirname(place))
    await rename(part, place)
    return true
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return
    await mkdir(folder, { recursive: true })
    this.#folders.add(folder)
  }

  async #isIntact(place: string, { size, digest }: RemoteFile): Promise<boolean> {
    if (!digest) return false
    const stats = await lstat(place).catch(() => undefined)
    if (!stats?.isFile() || (size !== undefined && stats.size !== size)) return false
    return (await digestFile(place, digest.algorithm)) === digest.hex
  }

  /** Makes a hard link to the file of the current version, when it has the digest that is named now. */
  async #linkCurrent(place: string, file: RemoteFile): Promise<boolean> {
    const current = this.#pathInCurrent(place)
    if (current === undefined || !(await this.#isIntact(current, file))) return false
    await this.#makeFolder(dirname(place))
    await rm(place, { force: true })
    return link(current, place).then(
      () => true,
      () => false,
    )
  }

  async #isSameAsCurrent(place: string): Promise<boolean> {
    const current = this.#pathInCurrent(place)
    if (current === undefined) return false
    const [now, before] = await Promise.all([lstat(place), lstat(current).catch(() => undefined)])
    if (now.size !== before?.size) return false
    return (await digestFile(place, 'sha256')) === (await digestFile(current, 'sha256'))
  }

  #pathInCurrent(place: string): string | undefined {
    const { currentVersion, root } = this.#context
    return currentVersion === undefined ? undefined : join(currentVersion, place.slice(root.length))
  }

  #report(bytes: number, file: string, isCounted: boolean): void {
    this.#doneBytes += bytes
    if (!isCounted) this.#totalBytes += bytes
    this.#context.onProgress({
      stage: 'fetching',
      doneBytes: this.#doneBytes,
      totalBytes: Math.max(this.#totalBytes, this.#doneBytes),
      files: this.#files,
      file,
    })
  }
}

/**
 * Moves a file, if it is there and has no second name. One that has is a file of the current version, too, and
 * what is fetched would be written to that version.
 */
async function moveOwn(from: string, to: string): Promise<void> {
  const stats = await lstat(from).catch(() => undefined)
  if (stats?.nlink === 1) await rename(from, to).catch(() => undefined)
}

/** Whether upstreams sent something else than was asked for. The pool wraps the failure of the last mirror. */
export function isDamage(error: unknown): boolean {
  return error instanceof Failure && error.cause instanceof Failure && error.cause.kind === 'invalid-data'
}
