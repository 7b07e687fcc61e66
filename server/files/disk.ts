import {
  type BigIntStats,
  close,
  constants,
  type Dirent,
  fstat,
  lstat,
  open,
  read,
  readdir,
  realpath,
  stat,
} from 'node:fs'
import { basename } from 'node:path'
import { promisify } from 'node:util'
import { LRUCache } from 'lru-cache'
import { Failure } from '../core/failure.ts'
import { byName, folderEntry } from './entry.ts'
import { baseName, type CleanPath, joinPath } from './path.ts'
import type { Entry, FileSource, OpenFile } from './source.ts'

export interface DiskOptions {
  /** Symlinks may lead anywhere below this folder; default: the root itself. `/trees/<id>` served alone may point into `/trees`. */
  readonly within?: string
}

/** How many looked-up paths we remember together with what `stat` said of them. */
const rememberedPaths = 4096
/** Lookups of one listing that are under way at once: more would keep the thread pool from everyone else. */
const listConcurrency = 16

const realpathOf = promisify(realpath.native)
const readdirOf = promisify(readdir)

/**
 * A folder on our own disk. Dotfiles are shown, for `.treeinfo` is one. Symlinks are followed as long as the real
 * path stays inside; those that lead out or nowhere do not exist, and neither do sockets, pipes and devices.
 *
 * Every `stat` asks the disk, so a change is seen at once. Two savings keep that cheap without changing what is
 * seen: lookups of one path made in the same turn of the event loop share one call, which is issued after the last
 * of them asked; and while inode, size and times of a path are what they were, the entry is the same object.
 */
export function diskSource(root: string, options: DiskOptions = {}): FileSource {
  const remembered = new LRUCache<CleanPath, Known>({ max: rememberedPaths })
  const pending = new Map<CleanPath, Promise<Entry | undefined>>()

  const lookUp = async (path: CleanPath): Promise<Entry | undefined> => {
    const given = path === '/' ? root : root + path
    const stats = await statWith(stat, given)
    if (!stats) {
      remembered.delete(path)
      return undefined
    }
    const known = remembered.get(path)
    // Same inode and same change time: the very file that was found to be inside. A rename sets the change time.
    if (known && isSame(known.stats, stats)) return known.entry
    const real = await realInside(given)
    // Between the two calls the path may have become another file: the second look decides.
    const realStats = real === undefined ? undefined : await statWith(lstat, real)
    const entry = real !== undefined && realStats && entryOf(baseName(path), real, realStats)
    if (!entry) {
      remembered.delete(path)
      return undefined
    }
    if (isSame(stats, realStats)) remembered.set(path, { stats, entry })
    return entry
  }

  /** The real path, when it is inside. The limit is resolved each time: it may be a symlink that was switched. */
  const realInside = async (given: string): Promise<string | undefined> => {
    const [real, limit] = await Promise.all([realOf(given), realOf(options.within ?? root)])
    if (real === undefined || limit === undefined) return undefined
    return real === limit || real.startsWith(limit.endsWith('/') ? limit : `${limit}/`) ? real : undefined
  }

  const statShared = (path: CleanPath): Promise<Entry | undefined> => {
    const shared = pending.get(path)
    if (shared !== undefined) return shared
    const started = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      pending.delete(path)
      return lookUp(path)
    })
    pending.set(path, started)
    return started
  }

  /** A plain file or folder of a real folder needs no second look at where it leads; a symlink does. */
  const lookUpListed = async (path: CleanPath, real: string, item: Dirent): Promise<Entry | undefined> => {
    if (item.isSymbolicLink()) return lookUp(joinPath(path, item.name))
    if (!item.isFile() && !item.isDirectory()) return undefined
    const file = `${real === '/' ? '' : real}/${item.name}`
    const stats = await statWith(lstat, file)
    return stats && entryOf(item.name, file, stats)
  }

  return {
    stat: statShared,
    async list(path) {
      const real = await realInside(path === '/' ? root : root + path)
      const items = real === undefined ? undefined : await itemsIn(real)
      if (real === undefined || !items) return undefined
      const entries: Entry[] = []
      const left = items.values()
      const worker = async (): Promise<void> => {
        for (const item of left) {
          const entry = await lookUpListed(path, real, item)
          if (entry) entries.push(entry)
        }
      }
      await Promise.all(Array.from({ length: listConcurrency }, worker))
      return entries.sort(byName)
    },
  }
}

interface Known {
  readonly stats: BigIntStats
  readonly entry: Entry
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return (
    a.ino === b.ino &&
    a.size === b.size &&
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs &&
    a.dev === b.dev
  )
}

function entryOf(name: string, file: string, stats: BigIntStats): Entry | undefined {
  const modifiedMs = Number(stats.mtimeNs / 1_000_000n)
  if (stats.isDirectory()) return folderEntry(name, modifiedMs, etagOf(stats))
  if (!stats.isFile()) return undefined
  const etag = etagOf(stats)
  return {
    name,
    kind: 'file',
    size: Number(stats.size),
    modifiedMs,
    etag,
    extent: { file, offset: 0 },
    open: () => openSame(file, etag),
  }
}

/** The entry of one real path of the disk; undefined when no file or folder is there. */
export async function entryOfFile(file: string): Promise<Entry | undefined> {
  const stats = await statWith(lstat, file)
  return stats && entryOf(basename(file), file, stats)
}

/** Inode, size and modification time: a file written aside and renamed into place differs even when size and time are kept. */
export function etagOf(stats: Pick<BigIntStats, 'ino' | 'size' | 'mtimeNs'>): string {
  return `${stats.ino.toString(36)}-${stats.size.toString(36)}-${stats.mtimeNs.toString(36)}`
}

/**
 * Opens the file that the entry was made of, and no other: one that took its place since is refused, so size and
 * etag that were told already always belong to the bytes that follow. NONBLOCK, for a pipe that took its place
 * would keep a thread of the pool waiting for a writer.
 */
export async function openSame(file: string, etag: string): Promise<OpenFile> {
  const fd = await new Promise<number>((resolve, reject) => {
    open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK, (error, opened) =>
      error ? reject(error) : resolve(opened),
    )
  })
  try {
    const stats = await new Promise<BigIntStats>((resolve, reject) => {
      fstat(fd, { bigint: true }, (error, found) => (error ? reject(error) : resolve(found)))
    })
    if (!stats.isFile() || etagOf(stats) !== etag)
      throw new Failure('conflict', `${file} was replaced while it was being opened; ask again`)
    return openFile(fd, Number(stats.size))
  } catch (error) {
    close(fd)
    throw error
  }
}

function openFile(fd: number, size: number): OpenFile {
  let closed = false
  return {
    size,
    descriptor: { fd, offset: 0 },
    read: (target, offset, length, position) =>
      new Promise((resolve, reject) => {
        read(fd, target, offset, length, position, (error, count) => (error ? reject(error) : resolve(count)))
      }),
    close: () =>
      new Promise((resolve, reject) => {
        if (closed) return resolve()
        closed = true
        close(fd, (error) => (error ? reject(error) : resolve()))
      }),
  }
}

/** Errors that mean "there is no such thing"; ELOOP is a symlink that points at itself, EACCES a folder closed to us. */
const absent = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'EACCES'])

function isAbsent(error: unknown): boolean {
  return absent.has((error as NodeJS.ErrnoException).code ?? '')
}

function statWith(call: typeof stat | typeof lstat, file: string): Promise<BigIntStats | undefined> {
  return new Promise((resolve, reject) => {
    call(file, { bigint: true }, (error, stats) => {
      if (!error) resolve(stats)
      else if (isAbsent(error)) resolve(undefined)
      else reject(error)
    })
  })
}

async function realOf(file: string): Promise<string | undefined> {
  try {
    return await realpathOf(file)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/**
 * Names that no client could ask for are left out: control characters, and bytes that are no UTF-8 (Node shows them
 * as U+FFFD, and the lookup finds nothing). A folder closed to us is an error and not an empty one.
 */
async function itemsIn(folder: string): Promise<Dirent[] | undefined> {
  try {
    const items = await readdirOf(folder, { withFileTypes: true })
    return items.filter((item) => !/[\x00-\x1f\x7f]/.test(item.name))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}
