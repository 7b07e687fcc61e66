import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import {
  copyFile,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  symlink,
  utimes,
} from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { Failure } from '../../core/failure.ts'
import { cleanPath } from '../../files/path.ts'
import { isInside } from '../../host/paths.ts'

/** A file as its source tells it. */
export interface FileFacts {
  /** Relative to the tree. */
  readonly path: string
  readonly size: number
  readonly modifiedMs: number
}

/** The bytes of a file from this one on. What cannot be entered in the middle is read and thrown away up to there. */
export type BytesFrom = (start: number) => AsyncIterable<Uint8Array>

/**
 * Writes files into a tree that grows. Each is written aside and renamed, so what has its name is whole, and a second
 * run passes over it; a large one is gone on with where the first run stopped. Links are made when all files are there:
 * until then no name in the tree leads anywhere but down.
 */
export class TreeWriter {
  readonly #root: string
  readonly #tempFolder: string
  readonly #links: { path: string; target: string; hard: boolean }[] = []
  readonly #folders = new Set<string>()
  /** Of this run, with those that an earlier one has written and the source still has. */
  readonly #files = new Set<string>()
  readonly #cannotShare = new Set<string>()
  #shares = 0
  /** No earlier run has left anything: nobody need look for it. */
  #isNew = false
  /** For people: what was left out, and why. */
  readonly notes: string[] = []

  /** @param tempFolder A folder of the same file system for files that are being written; what a stopped run left there is used. */
  constructor(root: string, tempFolder: string) {
    this.#root = root
    this.#tempFolder = tempFolder
  }

  async start(): Promise<void> {
    await mkdir(this.#tempFolder, { recursive: true })
    await mkdir(this.#root, { recursive: true })
    this.#isNew = (await readdir(this.#root)).length === 0
  }

  /** Where a file of the tree lies. Names that lead out are refused, not bent into place: whoever made them meant no good. */
  place(path: string): string {
    if (path.startsWith('/') || path.split('/').includes('..'))
      throw new Failure('invalid-data', `${JSON.stringify(path)} leads out of the tree`)
    return join(this.#root, cleanPath(path))
  }

  async folder(path: string): Promise<void> {
    const folder = this.place(path)
    if (this.#folders.has(folder)) return
    await mkdir(folder, { recursive: true })
    this.#folders.add(folder)
  }

  /** Whether an earlier run has written this file to its end. */
  async has({ path, size, modifiedMs }: FileFacts): Promise<boolean> {
    if (this.#isNew) return false
    const place = this.place(path)
    const stats = await lstat(place).catch(() => undefined)
    const isThere =
      stats?.isFile() === true && stats.size === size && Math.abs(stats.mtimeMs - modifiedMs) < 2
    if (isThere) this.#files.add(place)
    return isThere
  }

  /** @throws Failure `conflict` when more or fewer bytes come than `facts` say. */
  async write(facts: FileFacts, bytesFrom: BytesFrom, signal?: AbortSignal): Promise<void> {
    const { path, size, modifiedMs } = facts
    // The same name for the same file in every run, and never for another one.
    const name = createHash('sha256').update(`${size} ${modifiedMs} ${path}`).digest('hex')
    const aside = join(this.#tempFolder, name.slice(0, 32))
    // Of a small file nothing is gone on with.
    const isLarge = durableBytes(size) > 0
    const modes = constants.O_WRONLY | constants.O_CREAT | (isLarge ? 0 : constants.O_TRUNC)
    const handle = await open(aside, modes, 0o644)
    try {
      const start = isLarge ? await cutToDurable(handle, size) : 0
      const end = await pour(handle, start, bytesFrom(start), signal)
      if (end !== size)
        throw new Failure(
          'conflict',
          `${path} has ${size} bytes and ${end} came: it changes while it is read`,
        )
    } finally {
      await handle.close()
    }
    await utimes(aside, modifiedMs / 1000, modifiedMs / 1000)
    await this.#rename(aside, path)
  }

  /**
   * Makes a file of this machine the tree's with one call: on btrfs, XFS and bcachefs it shares its blocks with the
   * original and takes no time; `hardLink` makes it the very same file where that is possible; a small one is copied.
   *
   * @returns Whether that was done; if not, it has to be written.
   */
  async share(facts: FileFacts, from: string, hardLink: boolean): Promise<boolean> {
    const attempt = (make: (aside: string) => Promise<void>, onRefused = () => {}) =>
      this.#aside(facts, make, !hardLink).then(
        () => true,
        (error: unknown) => {
          if (!sharingRefused.has((error as NodeJS.ErrnoException).code ?? '')) throw error
          onRefused()
          return false
        },
      )
    const linked = async (aside: string): Promise<void> => {
      await rm(aside, { force: true })
      await link(from, aside)
    }
    if (hardLink && (await attempt(linked))) return true
    if (facts.size <= smallBytes) return attempt((aside) => copyFile(from, aside, constants.COPYFILE_FICLONE))
    if (this.#cannotShare.has(dirname(from))) return false
    // A file system that cannot once never can; a folder is in one.
    const note = () => void this.#cannotShare.add(dirname(from))
    return attempt((aside) => copyFile(from, aside, constants.COPYFILE_FICLONE_FORCE), note)
  }

  /** `hard`: the target is a path of the tree; otherwise as written, seen from the link's folder. */
  link(path: string, target: string, hard: boolean): void {
    this.place(path)
    const seen = hard ? posix.normalize(target) : posix.join(posix.dirname(path), target)
    if (target === '' || (target.startsWith('/') && !hard) || seen === '..' || seen.startsWith('../'))
      this.notes.push(`${path} is left out: it is a link to ${target || 'nothing'}, outside of the tree`)
    else this.#links.push({ path, target, hard })
  }

  /**
   * Makes the links. One that leads out by way of others is removed again. What an earlier run has brought and the source no
   * longer has goes, too, whole or in part.
   */
  async finish(): Promise<void> {
    await rm(this.#tempFolder, { recursive: true, force: true })
    if (!this.#isNew) await this.#removeStale(this.#root)
    const root = await realpath(this.#root)
    for (const { path, target, hard } of this.#links) {
      const place = this.place(path)
      await mkdir(dirname(place), { recursive: true })
      if (!isInside(root, await realpath(dirname(place))))
        throw new Failure('invalid-data', `${path} leads out of the tree`)
      await rm(place, { force: true })
      if (hard) await link(this.place(target.replace(/^(\.?\/)+/, '')), place)
      else await symlink(target, place)
    }
    for (const { path, target, hard } of this.#links) {
      if (hard) continue
      const real = await realpath(this.place(path)).catch(() => undefined)
      if (real === undefined || isInside(root, real)) continue
      await rm(this.place(path), { force: true })
      this.notes.push(`${path} is left out: its link to ${target} leads out of the tree`)
    }
  }

  /** Whether nothing is left of the folder. */
  async #removeStale(folder: string): Promise<boolean> {
    let left = 0
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const place = join(folder, entry.name)
      if (
        entry.isDirectory()
          ? !(await this.#removeStale(place)) || this.#folders.has(place)
          : this.#files.has(place)
      )
        left++
      else await rm(place, { recursive: true })
    }
    return left === 0
  }

  async #aside(facts: FileFacts, make: (aside: string) => Promise<void>, stamp: boolean): Promise<void> {
    const aside = join(this.#tempFolder, `shared-${++this.#shares}`)
    try {
      await make(aside)
      if (stamp) await utimes(aside, facts.modifiedMs / 1000, facts.modifiedMs / 1000)
      await this.#rename(aside, facts.path)
    } catch (error) {
      await rm(aside, { force: true })
      throw error
    }
  }

  async #rename(aside: string, path: string): Promise<void> {
    const place = this.place(path)
    await this.#folderOf(place)
    await rename(aside, place)
    this.#files.add(place)
  }

  async #folderOf(place: string): Promise<void> {
    const folder = dirname(place)
    if (this.#folders.has(folder)) return
    await mkdir(folder, { recursive: true })
    this.#folders.add(folder)
  }
}

/** Another file system, or one that cannot share; a file of somebody else under `protected_hardlinks`. */
const sharingRefused = new Set([
  'EXDEV',
  'EINVAL',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EPERM',
  'EMLINK',
  'ENOTTY',
  'EACCES',
])

/** Copied in one piece, so that nothing is left to go on with. */
export const smallBytes = 8 << 20

/** Between two marks so many bytes are written. */
const markBytes = 32 << 20

/**
 * Writes from `start` on and resolves to where it ended. At each mark what was written is sent to the disk, and the mark
 * after it waits for that, so that reading and writing go on meanwhile.
 */
async function pour(
  handle: FileHandle,
  start: number,
  pieces: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<number> {
  let position = start
  let syncing: Promise<void> = Promise.resolve()
  let next = start + markBytes
  try {
    for await (const piece of pieces) {
      signal?.throwIfAborted()
      for (let done = 0; done < piece.length; ) {
        const { bytesWritten } = await handle.write(piece, done, piece.length - done, position)
        done += bytesWritten
        position += bytesWritten
      }
      if (position < next) continue
      await syncing
      syncing = handle.datasync()
      syncing.catch(() => undefined)
      next = position + markBytes
    }
  } finally {
    await syncing
  }
  return position
}

/** Cuts what a stopped run left of a file of this size to what can be relied on; resolves to where to go on. */
async function cutToDurable(handle: FileHandle, size: number): Promise<number> {
  const left = (await handle.stat()).size
  const start = left > size ? 0 : durableBytes(left)
  await handle.truncate(start)
  return start
}

/** Of the bytes that a stopped run left, those that are on the disk even if the machine itself went down: all but three marks. */
function durableBytes(size: number): number {
  return Math.max(0, Math.floor(size / markBytes) - 3) * markBytes
}
