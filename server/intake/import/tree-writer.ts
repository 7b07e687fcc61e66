import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import {
  chmod,
  copyFile,
  link,
  lstat,
  mkdir,
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
import { type BytesFrom, smallBytes, writeResumable } from './resumable-file.ts'

/** A file as its source describes it. */
export interface FileFacts {
  /** Relative to the tree. */
  readonly path: string
  readonly size: number
  readonly modifiedMs: number
}

export interface TreeLink {
  /** Relative to the tree. */
  readonly path: string
  /**
   * For a hard link a path relative to the tree; for a symlink the text as written, relative to its folder.
   */
  readonly target: string
  readonly hard: boolean
}

/**
 * Writes files into a growing tree. Each is written in the temporary folder and renamed, so a file under its
 * final name is complete, and a second run skips it; a large partial file is resumed. Links are made when all
 * files are there: until then no name in the tree leads out of it.
 */
export class TreeWriter {
  readonly #root: string
  readonly #tempFolder: string
  readonly #links: TreeLink[] = []
  readonly #folders = new Set<string>()
  /** Files that this run wrote, or that an earlier run wrote and the source still has. */
  readonly #files = new Set<string>()
  /** Source folders from which files cannot be cloned into the tree. */
  readonly #cannotShare = new Set<string>()
  #shareCount = 0
  /** Whether the tree was empty at the start: then `has` need not look at the disk. */
  #isNew = false
  /** For people: what was left out, and why. */
  readonly notes: string[] = []

  /**
   * @param tempFolder A folder in the same file system. Partial files that an interrupted run left there are
   *   resumed.
   */
  constructor(root: string, tempFolder: string) {
    this.#root = root
    this.#tempFolder = tempFolder
  }

  async start(): Promise<void> {
    await mkdir(this.#tempFolder, { recursive: true })
    await mkdir(this.#root, { recursive: true })
    this.#isNew = (await readdir(this.#root)).length === 0
  }

  /**
   * The path on the disk of a file of the tree. A name that leads out is refused and not repaired: it was
   * made to do harm.
   */
  place(path: string): string {
    if (path.startsWith('/') || path.split('/').includes('..'))
      throw new Failure('invalid-data', `${JSON.stringify(path)} leads out of the tree`)
    return join(this.#root, cleanPath(path))
  }

  folder(path: string): Promise<void> {
    return this.#makeFolder(this.place(path))
  }

  /** Whether an earlier run has written this file completely. */
  async has({ path, size, modifiedMs }: FileFacts): Promise<boolean> {
    if (this.#isNew) return false
    const place = this.place(path)
    const stats = await lstat(place).catch(() => undefined)
    // Not exactly the same time: `utimes` takes seconds with a fraction, and rounds.
    const isThere =
      stats?.isFile() === true && stats.size === size && Math.abs(stats.mtimeMs - modifiedMs) < 2
    if (isThere) this.#files.add(place)
    return isThere
  }

  /**
   * Writes one file.
   *
   * @throws Failure `conflict` when the source gives more or fewer bytes than `facts.size`.
   */
  async write(facts: FileFacts, bytesFrom: BytesFrom, signal?: AbortSignal): Promise<void> {
    const { path, size, modifiedMs } = facts
    // The same file has the same temporary name in every run, and no other file has that name.
    const name = createHash('sha256').update(`${size} ${modifiedMs} ${path}`).digest('hex')
    const temp = join(this.#tempFolder, name.slice(0, 32))
    const bytes = await writeResumable(temp, size, bytesFrom, signal)
    if (bytes !== size)
      throw new Failure(
        'conflict',
        `${path} should have ${size} bytes, and ${bytes} were read: it changes while it is being read`,
      )
    await utimes(temp, modifiedMs / 1000, modifiedMs / 1000)
    await this.#rename(temp, path)
  }

  /**
   * Makes a file of this machine part of the tree without reading it: a hard link if `hardLink` is set, else
   * a clone, which shares the blocks of the original on btrfs, XFS and bcachefs. A small file is copied where
   * it cannot be cloned.
   *
   * @returns False when the file cannot be shared; it must then be written with `write`.
   */
  async share(facts: FileFacts, from: string, hardLink: boolean): Promise<boolean> {
    const linkAt = (temp: string) => replaceByLink(from, temp)
    // Setting the time of a hard link would set that of the original.
    if (hardLink && (await this.#tryShare(facts, linkAt, { setTime: false }))) return true
    const cloneAt = (how: number) => async (temp: string) => {
      await copyFile(from, temp, how)
      // A copy has the mode of its original, and a served file must be readable for everybody.
      await chmod(temp, 0o644)
    }
    const clone = (how: number) => this.#tryShare(facts, cloneAt(how), { setTime: true })
    if (facts.size <= smallBytes) return clone(constants.COPYFILE_FICLONE)
    // A file system that cannot clone one file cannot clone any; all files of a folder are in one file
    // system.
    const folder = dirname(from)
    if (this.#cannotShare.has(folder)) return false
    const cloned = await clone(constants.COPYFILE_FICLONE_FORCE)
    if (!cloned) this.#cannotShare.add(folder)
    return cloned
  }

  /** Adds a link, which `finish` makes. A link that leads out of the tree is left out, with a note. */
  link(treeLink: TreeLink): void {
    const { path, target, hard } = treeLink
    this.place(path)
    const inTree = hard ? posix.normalize(target) : posix.join(posix.dirname(path), target)
    const leadsOut = (target.startsWith('/') && !hard) || inTree === '..' || inTree.startsWith('../')
    if (target === '' || leadsOut)
      this.notes.push(`${path} is left out: it is a link to ${target || 'nothing'}, outside of the tree`)
    else this.#links.push(treeLink)
  }

  /**
   * Makes the links, and removes those that lead out by way of other links. Also removes files, whole or
   * partial, that an earlier run wrote and the source no longer has.
   */
  async finish(): Promise<void> {
    await rm(this.#tempFolder, { recursive: true, force: true })
    if (!this.#isNew) await this.#removeStale(this.#root)
    const root = await realpath(this.#root)
    for (const each of this.#links) await this.#makeLink(each, root)
    for (const { path, target, hard } of this.#links) {
      if (hard) continue
      const real = await realpath(this.place(path)).catch(() => undefined)
      // Undefined: the link leads to nothing, so not out of the tree either.
      if (real === undefined || isInside(root, real)) continue
      await rm(this.place(path), { force: true })
      this.notes.push(`${path} is left out: its link to ${target} leads out of the tree`)
    }
  }

  async #makeLink({ path, target, hard }: TreeLink, root: string): Promise<void> {
    const place = this.place(path)
    await mkdir(dirname(place), { recursive: true })
    if (!isInside(root, await realpath(dirname(place))))
      throw new Failure('invalid-data', `${path} leads out of the tree`)
    await rm(place, { force: true })
    if (hard) await link(this.place(target), place)
    else await symlink(target, place)
  }

  /** Removes what the source no longer has. Returns whether the folder is empty then. */
  async #removeStale(folder: string): Promise<boolean> {
    let left = 0
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const place = join(folder, entry.name)
      const stays = entry.isDirectory()
        ? !(await this.#removeStale(place)) || this.#folders.has(place)
        : this.#files.has(place)
      if (stays) left++
      else await rm(place, { recursive: true })
    }
    return left === 0
  }

  async #tryShare(
    facts: FileFacts,
    make: (temp: string) => Promise<void>,
    { setTime }: { readonly setTime: boolean },
  ): Promise<boolean> {
    const temp = join(this.#tempFolder, `shared-${++this.#shareCount}`)
    try {
      await make(temp)
      if (setTime) await utimes(temp, facts.modifiedMs / 1000, facts.modifiedMs / 1000)
      await this.#rename(temp, facts.path)
      return true
    } catch (error) {
      await rm(temp, { force: true })
      if (!cannotShareCodes.has((error as NodeJS.ErrnoException).code ?? '')) throw error
      return false
    }
  }

  async #rename(temp: string, path: string): Promise<void> {
    const place = this.place(path)
    await this.#makeFolder(dirname(place))
    await rename(temp, place)
    this.#files.add(place)
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return
    await mkdir(folder, { recursive: true })
    this.#folders.add(folder)
  }
}

/** Makes a hard link, also where an interrupted run left a file. */
async function replaceByLink(from: string, to: string): Promise<void> {
  await rm(to, { force: true })
  await link(from, to)
}

/**
 * Error codes for files that cannot be linked or cloned: they are on another file system, on one that cannot
 * share, or belong to another user under `protected_hardlinks` (proc(5)).
 */
const cannotShareCodes = new Set([
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
