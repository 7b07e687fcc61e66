import { type BigIntStats, close, constants, type Dirent, fstat, lstat, read, readdir, stat } from 'node:fs'
import { basename } from 'node:path'
import { promisify } from 'node:util'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import { closeDescriptor, descriptorPath, openDescriptor, pathOnly, realPathOf } from '../host/descriptor.ts'
import { lru } from '../host/lru.ts'
import { isInside } from '../host/paths.ts'
import { forEachAtOnce } from '../host/pool.ts'
import { isAbsent, readLink, realOf, shownTarget } from './disk-links.ts'
import { byName, folderEntry } from './entry.ts'
import { FolderListings } from './folder-listings.ts'
import { baseName, type CleanPath, isServedName, joinPath } from './path.ts'
import type { Entry, FileSource, OpenFile } from './source.ts'

export interface DiskOptions {
  /**
   * Symlinks may lead anywhere below this folder. Default: the root itself. For the folder of one tree this
   * is the whole trees folder, because trees link to one another.
   */
  readonly within?: string
  /**
   * Whether entries have the target of a symlink that stays below the root. Default: every link looks like what it
   * leads to.
   */
  readonly showLinks?: boolean
}

/** The number of paths whose entry and `stat` result are kept. */
const rememberedPaths = 4096
/**
 * Lookups of one listing that run at once. With more of them, other requests would wait for the thread pool.
 */
const listConcurrency = 16

const readdirOf = promisify(readdir)

/**
 * Serves a folder on our own disk. Dotfiles are shown, because `.treeinfo` is one. Symlinks are followed
 * while the real path stays inside. Symlinks that lead out or nowhere are hidden, and so are sockets, pipes
 * and devices.
 *
 * Every `stat` asks the disk, so a change is seen at once. Two savings keep that cheap and change no result.
 * Lookups of one path in the same turn of the event loop share one system call, which begins after the last
 * of them. And while inode, size and times of a path stay the same, its entry is the same object. A listing is kept
 * for a second while the times of its folder stay the same.
 */
export function diskSource(root: string, options: DiskOptions = {}): FileSource {
  const remembered = lru<CleanPath, Remembered>(rememberedPaths)
  const pending = new Map<CleanPath, Promise<Entry | undefined>>()
  const listings = new FolderListings()

  const lookUp = async (path: CleanPath): Promise<Entry | undefined> => {
    const given = path === '/' ? root : root + path
    const stats = await statWith(stat, given)
    if (!stats) {
      remembered.delete(path)
      return undefined
    }
    const earlier = remembered.get(path)
    // The same inode and change time: the path leads to the file that was found inside before. A rename sets
    // the change time.
    if (earlier && isSame(earlier.stats, stats) && (await hasSameTarget(earlier.entry, given)))
      return earlier.entry
    const found = await findInside(given)
    const forget = (): void => void remembered.delete(path)
    const file = found && entryOf(baseName(path), found.real, found.stats, forget)
    if (!file) {
      forget()
      return undefined
    }
    // When the real path is the given one, no symlink is on the way.
    const mayBeLink = options.showLinks && path !== '/' && found.real !== given
    const entry = mayBeLink ? { ...file, ...defined({ target: await shownTarget(root, given) }) } : file
    if (isSame(stats, found.stats)) remembered.set(path, { stats, entry })
    return entry
  }

  /**
   * Opens what is at a path, and calls `act` with its descriptor and real path if that is inside the limit. The
   * limit is resolved each time, because it may be a symlink that was switched.
   */
  const withinLimit = async <T>(
    given: string,
    flags: number,
    act: (fd: number, real: string) => Promise<T>,
  ): Promise<T | undefined> => {
    const [fd, limit] = await Promise.all([openOf(given, flags), realOf(options.within ?? root)])
    if (fd === undefined) return undefined
    try {
      const real = await realPathOf(fd, given)
      return real !== undefined && limit !== undefined && isInside(limit, real)
        ? await act(fd, real)
        : undefined
    } finally {
      closeDescriptor(fd)
    }
  }

  /** What is at a path now, if it is inside the limit: real path and `stat` are of the same file. */
  const findInside = (given: string): Promise<Located | undefined> =>
    withinLimit(given, pathOnly, async (fd, real) => ({ real, stats: await statsOf(fd) }))

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

  return {
    stat: statShared,
    list(path) {
      const given = path === '/' ? root : root + path
      const linked = (name: string): Promise<Entry | undefined> => lookUp(joinPath(path, name))
      return withinLimit(given, pathOnly | constants.O_DIRECTORY, async (fd, real) => {
        const stats = await statsOf(fd)
        // A folder that was removed after we opened it is not there; else it would look empty.
        if (stats.nlink === 0n) return undefined
        const stamp = `${real} ${etagOf(stats)} ${stats.ctimeNs}`
        return listings.get(path, stamp, () => listFolder({ real, opened: descriptorPath(fd, real), linked }))
      })
    },
  }
}

/** A link may be made to lead to the same file by another path; then only its text differs. */
async function hasSameTarget({ target }: Entry, given: string): Promise<boolean> {
  return target === undefined || (await readLink(given)) === target
}

interface OpenFolder {
  readonly real: string
  /** A path of the open folder that no symlink can lead elsewhere. */
  readonly opened: string
  /** The entry of a symlink in the folder, which may lead out. */
  readonly linked: (name: string) => Promise<Entry | undefined>
}

async function listFolder(folder: OpenFolder): Promise<Entry[] | undefined> {
  const items = await itemsIn(folder.opened)
  const entries: Entry[] = []
  await forEachAtOnce(items ?? [], listConcurrency, async (item) => {
    const entry = await entryOfListed(folder, item)
    if (entry) entries.push(entry)
  })
  return items && entries.sort(byName)
}

/** Only a symlink must be resolved: all else in a real folder is inside. */
async function entryOfListed({ real, opened, linked }: OpenFolder, item: Dirent): Promise<Entry | undefined> {
  if (item.isSymbolicLink()) return linked(item.name)
  if (!item.isFile() && !item.isDirectory()) return undefined
  const stats = await statWith(lstat, `${opened}/${item.name}`)
  return stats && entryOf(item.name, `${real === '/' ? '' : real}/${item.name}`, stats)
}

interface Located {
  /** Real path. */
  readonly real: string
  readonly stats: BigIntStats
}

interface Remembered {
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

/** @param onFailure Called when the file does not open: it was replaced, or lies elsewhere by now. */
function entryOf(
  name: string,
  file: string,
  stats: BigIntStats,
  onFailure: () => void = () => undefined,
): Entry | undefined {
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
    open: () =>
      openSame(file, etag).catch((error) => {
        onFailure()
        throw error
      }),
  }
}

/** The entry of one real path on the disk. Undefined when no file or folder is there. */
export async function entryOfFile(file: string): Promise<Entry | undefined> {
  const stats = await statWith(lstat, file)
  return stats && entryOf(basename(file), file, stats)
}

/**
 * The etag of a file or folder, made of inode, size and modification time. A file that was written elsewhere
 * and renamed into place has another inode, even when size and time are the same.
 */
export function etagOf(stats: Pick<BigIntStats, 'ino' | 'size' | 'mtimeNs'>): string {
  return `${stats.ino.toString(36)}-${stats.size.toString(36)}-${stats.mtimeNs.toString(36)}`
}

/**
 * Opens the file that the entry was made from. A file that has replaced it since is refused, so the bytes
 * always belong to the size and etag that the client already has. So is a file that is not at this real path: a
 * symlink took the place of a folder above it. The flag O_NONBLOCK is for a pipe that has replaced the file:
 * without it, opening would block a thread of the pool until a writer comes.
 *
 * @param file Real path.
 */
export async function openSame(file: string, etag: string): Promise<OpenFile> {
  const fd = await openDescriptor(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const [stats, real] = await Promise.all([statsOf(fd), realPathOf(fd, file)])
    if (!stats.isFile() || etagOf(stats) !== etag || real !== file)
      throw new Failure('conflict', `${file} was replaced while it was being opened; try again`)
    return openFile(fd, Number(stats.size))
  } catch (error) {
    closeDescriptor(fd)
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
        // The number may belong to another file by now.
        if (closed) return resolve()
        closed = true
        close(fd, (error) => (error ? reject(error) : resolve()))
      }),
  }
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

function statsOf(fd: number): Promise<BigIntStats> {
  return new Promise((resolve, reject) => {
    fstat(fd, { bigint: true }, (error, found) => (error ? reject(error) : resolve(found)))
  })
}

async function openOf(file: string, flags: number): Promise<number | undefined> {
  try {
    return await openDescriptor(file, flags)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/**
 * Reads the names in a folder. Leaves out names with control characters, which no client can ask for. (Names
 * that are not UTF-8 drop out later: Node shows their bytes as U+FFFD, and the lookup finds nothing.) A
 * folder that we may not read is an error, and is not listed as empty.
 */
async function itemsIn(folder: string): Promise<Dirent[] | undefined> {
  try {
    const items = await readdirOf(folder, { withFileTypes: true })
    return items.filter(({ name }) => isServedName(name))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}
