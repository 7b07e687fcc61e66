import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, copyFile, link, lstat, mkdir, readdir, rename, rm, utimes } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { Failure } from '../../core/failure.ts'
import { FreeSpace } from '../../host/free-space.ts'
import { othersBelow } from '../../host/links.ts'
import { type BytesFrom, smallBytes, writeResumable } from './resumable-file.ts'
import { type TreeLink, TreeLinks } from './tree-links.ts'
import { treePath, twice } from './tree-path.ts'

/** A file as its source describes it. */
export interface FileFacts {
  /** Relative to the tree. */
  readonly path: string
  readonly size: number
  readonly modifiedMs: number
}

/**
 * Writes files into a growing tree. Each is written in the temporary folder and renamed, so a file under its
 * final name is complete, and a second run skips it; a large partial file is resumed.
 *
 * Nothing outside of the tree is made, linked or opened, whatever names and links a source has:
 *
 * - While files and folders are written, the tree has no symlink. `start` removes those of an earlier run.
 * - Each folder is made by itself, below one that was made or looked at before.
 * - `finish` makes the links, hard links first. No link takes the place of a folder (`TreeLinks`).
 *
 * What is in the way is asked of the disk and not compared as text: some file systems take names for equal
 * that differ in case or in their Unicode form.
 */
export class TreeWriter {
  readonly #root: string
  readonly #tempFolder: string
  readonly #links: TreeLinks
  readonly #space: FreeSpace
  /** Folders that this run makes or made, or found and needs. */
  readonly #folders = new Map<string, Promise<void>>()
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
  constructor(root: string, tempFolder: string, minFree?: number) {
    this.#root = root
    this.#tempFolder = tempFolder
    this.#links = new TreeLinks(root)
    this.#space = new FreeSpace(tempFolder, minFree)
  }

  async start(): Promise<void> {
    await mkdir(this.#tempFolder, { recursive: true })
    await mkdir(this.#root, { recursive: true })
    this.#isNew = (await readdir(this.#root)).length === 0
    // An earlier run may have ended between making its links and removing those that lead out.
    if (!this.#isNew) for await (const place of othersBelow(this.#root)) await rm(place, { force: true })
  }

  /**
   * The path on the disk of a file of the tree. A name that leads out is refused and not repaired: it was
   * made to do harm.
   */
  place(path: string): string {
    return join(this.#root, treePath(path))
  }

  async folder(path: string): Promise<void> {
    const place = this.place(path)
    this.#links.forget(path)
    await this.#makeFolder(place)
  }

  /**
   * Checks that a whole source fits on the disk, before its first file is written. After an interrupted run
   * only `write` can tell, which asks for each file.
   *
   * @throws Failure `too-large` when it does not fit.
   */
  async checkSpace(source: string, bytes: number): Promise<void> {
    if (this.#isNew && (await readdir(this.#tempFolder)).length === 0) await this.#space.check(source, bytes)
  }

  /** Whether an earlier run has written this file completely. */
  async has({ path, size, modifiedMs }: FileFacts): Promise<boolean> {
    if (this.#isNew) return false
    const place = this.place(path)
    const stats = await lstat(place).catch(() => undefined)
    // Not exactly the same time: `utimes` takes seconds with a fraction, and rounds.
    const isThere =
      stats?.isFile() === true && stats.size === size && Math.abs(stats.mtimeMs - modifiedMs) < 2
    if (!isThere) return false
    await this.#makeFolder(dirname(place))
    this.#add(path, place)
    return true
  }

  /**
   * Writes one file.
   *
   * @throws Failure `conflict` when the source gives more or fewer bytes than `facts.size`; `too-large` when
   *   the file does not fit on the disk.
   */
  async write(facts: FileFacts, bytesFrom: BytesFrom, signal?: AbortSignal): Promise<void> {
    const { path, size, modifiedMs } = facts
    // The same file has the same temporary name in every run, and no other file has that name.
    const name = createHash('sha256').update(`${size} ${modifiedMs} ${path}`).digest('hex')
    const temp = join(this.#tempFolder, name.slice(0, 32))
    // Only of a large file an interrupted run leaves a part that needs no more space.
    const kept = size > smallBytes ? await lstat(temp).catch(() => undefined) : undefined
    await this.#space.check(path, Math.max(0, size - (kept?.size ?? 0)))
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
      // What an interrupted run left may be a hard link to a file of the source.
      await rm(temp, { force: true })
      await copyFile(from, temp, how | constants.COPYFILE_EXCL)
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
    const note = this.#links.add(treeLink)
    if (note !== undefined) this.notes.push(note)
  }

  /**
   * Makes the links. Also removes files, whole or partial, that an earlier run wrote and the source no longer
   * has.
   */
  async finish(): Promise<void> {
    await rm(this.#tempFolder, { recursive: true, force: true })
    if (!this.#isNew) await this.#removeStale(this.#root)
    this.notes.push(...(await this.#links.make((folder) => this.#makeFolder(folder))))
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
    if (this.#folders.has(place)) throw twice(path)
    // A folder of an earlier run: the source has a file there now.
    if (!this.#isNew && (await isFolder(place))) await rm(place, { recursive: true })
    await rename(temp, place)
    this.#add(path, place)
  }

  /** Notes a file that is in its place. */
  #add(path: string, place: string): void {
    this.#links.forget(path)
    this.#files.add(place)
  }

  /**
   * Makes a folder and those above it, one by one: with `recursive`, mkdir would go through whatever is
   * there.
   */
  #makeFolder(place: string): Promise<void> {
    if (place === this.#root) return Promise.resolve()
    const begun = this.#folders.get(place)
    if (begun !== undefined) return begun
    const making = this.#makeOneFolder(place)
    this.#folders.set(place, making)
    return making
  }

  async #makeOneFolder(place: string): Promise<void> {
    await this.#makeFolder(dirname(place))
    if (this.#files.has(place)) throw twice(relative(this.#root, place))
    // A file of an earlier run: the source has a folder there now.
    if (!this.#isNew && !(await isFolder(place))) await rm(place, { force: true })
    await mkdir(place).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
      if (!(await isFolder(place))) throw twice(relative(this.#root, place))
    })
  }
}

async function isFolder(place: string): Promise<boolean> {
  return (await lstat(place).catch(() => undefined))?.isDirectory() ?? false
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
