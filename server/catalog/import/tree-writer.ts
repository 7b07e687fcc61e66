import { constants } from 'node:fs'
import {
  copyFile,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  realpath,
  rename,
  rm,
  symlink,
  utimes,
} from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { Failure } from '../../core/failure.ts'
import { cleanPath } from '../../files/path.ts'
import { isInside } from '../listing-source.ts'

/** A file as its source tells it. */
export interface FileFacts {
  /** Relative to the tree. */
  readonly path: string
  readonly size: number
  readonly modifiedMs: number
}

/**
 * Writes files into a tree that grows. Each is written aside and renamed, so what has its name is whole, and a second
 * run passes over it. Links are made when all files are there: until then no name in the tree leads anywhere but down.
 */
export class TreeWriter {
  readonly #root: string
  readonly #asides: string
  #written = 0
  readonly #links: { path: string; target: string; hard: boolean }[] = []
  readonly #folders = new Set<string>()
  /** For people: what was left out, and why. */
  readonly notes: string[] = []

  /** @param asides A folder of the same file system for files that are being written. What a crash left there is removed. */
  constructor(root: string, asides: string) {
    this.#root = root
    this.#asides = asides
  }

  async start(): Promise<void> {
    await rm(this.#asides, { recursive: true, force: true })
    await mkdir(this.#asides, { recursive: true })
    await mkdir(this.#root, { recursive: true })
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
    const stats = await lstat(this.place(path)).catch(() => undefined)
    return stats?.isFile() === true && stats.size === size && Math.abs(stats.mtimeMs - modifiedMs) < 2
  }

  async write(facts: FileFacts, pieces: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    await this.#aside(facts, async (aside) => {
      const handle = await open(aside, 'w', 0o644)
      try {
        for await (const piece of pieces) {
          signal?.throwIfAborted()
          await writeAll(handle, piece)
        }
      } finally {
        await handle.close()
      }
    })
  }

  /**
   * Copies a file of this machine. On btrfs, XFS and bcachefs it shares its blocks with the original and takes no
   * time; `hardLink` makes it the very same file where that is possible.
   *
   * @returns Whether it was shared, so that nothing had to be copied.
   */
  async share(facts: FileFacts, from: string, hardLink: boolean): Promise<boolean> {
    const attempt = (make: (aside: string) => Promise<void>) =>
      this.#aside(facts, make, !hardLink).then(
        () => true,
        (error: unknown) => {
          if (sharingRefused.has((error as NodeJS.ErrnoException).code ?? '')) return false
          throw error
        },
      )
    if (hardLink && (await attempt((aside) => link(from, aside)))) return true
    return attempt((aside) => copyFile(from, aside, constants.COPYFILE_FICLONE_FORCE))
  }

  /** `hard`: the target is a path of the tree; otherwise as written, seen from the link's folder. */
  link(path: string, target: string, hard: boolean): void {
    this.place(path)
    const seen = hard ? posix.normalize(target) : posix.join(posix.dirname(path), target)
    if (target === '' || (target.startsWith('/') && !hard) || seen === '..' || seen.startsWith('../'))
      this.notes.push(`${path} is left out: it is a link to ${target || 'nothing'}, outside of the tree`)
    else this.#links.push({ path, target, hard })
  }

  /** Makes the links. One that leads out by way of others is removed again. */
  async finish(): Promise<void> {
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

  async #aside(facts: FileFacts, make: (aside: string) => Promise<void>, stamp = true): Promise<void> {
    const place = this.place(facts.path)
    const folder = dirname(place)
    if (!this.#folders.has(folder)) {
      await mkdir(folder, { recursive: true })
      this.#folders.add(folder)
    }
    const aside = join(this.#asides, String(++this.#written))
    try {
      await make(aside)
      if (stamp) await utimes(aside, facts.modifiedMs / 1000, facts.modifiedMs / 1000)
      await rename(aside, place)
    } finally {
      await rm(aside, { force: true })
    }
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

async function writeAll(handle: FileHandle, piece: Uint8Array): Promise<void> {
  for (let done = 0; done < piece.length; ) done += (await handle.write(piece, done)).bytesWritten
}
