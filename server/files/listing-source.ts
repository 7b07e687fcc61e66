import { constants, type Dirent, readdir, type Stats, stat } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../core/failure.ts'
import { realPathOf } from '../host/descriptor.ts'
import { isInside } from '../host/paths.ts'
import { folderEntry } from './entry.ts'
import { baseName, type CleanPath, isServedName, joinPath, parentPath } from './path.ts'
import type { Entry, FileSource, OpenFile } from './source.ts'

/** Size and times of a file or folder. When they differ at the next scan, the file was changed. */
export interface Stamp {
  /**
   * Absolute real path. For a file inside an image: the path of the image, `//`, and its path in the image.
   */
  readonly file: string
  /** Set for a file inside an image. Times and inode are then those of the image. */
  readonly inside?: { readonly image: string; readonly path: CleanPath }
  readonly folder: boolean
  /** In bytes. 0 for folders, whose size means nothing. */
  readonly size: number
  readonly mtimeMs: number
  /** Tells when a file changed last. `sameStamp` ignores it. */
  readonly ctimeMs: number
  readonly inode: number
}

/** The files of one folder or image of `trees/` during one scan. It records which of them the scan reads. */
export interface Look extends FileSource {
  /** The names in a folder. Empty when the path is not a folder. */
  names(path: CleanPath): Promise<readonly string[]>
  /** Size and times of a file or folder. Undefined when it does not exist. */
  stamp(path: CleanPath): Promise<Stamp | undefined>
  /** Stamps of all that the scan has read, by path. While they stay the same, so does the scan's result. */
  seen(): Promise<ReadonlyMap<string, Stamp>>
}

/**
 * One scan of one folder of `trees/`. Each folder below it is read once, and a lookup of a name that a folder
 * does not have costs no system call: to recognise a tree we ask for some thirty files, and a tree has three
 * of them. The object lives as long as the scan. Afterwards `seen` says what the scan has read, so that the
 * next scan only compares stamps.
 */
export class ListingSource implements Look {
  readonly #within: string
  readonly #folders = new Map<string, Promise<Folder | undefined>>()
  readonly #stamps = new Map<string, Promise<Stamp | undefined>>()

  /** @param root Real path of the folder. @param within Real path that symlinks must stay inside. */
  constructor(root: string, within: string) {
    this.#within = within
    this.#folders.set('/', readFolder(root))
  }

  async stat(path: CleanPath): Promise<Entry | undefined> {
    const stamp = await this.stamp(path)
    return stamp && entryOf(baseName(path), stamp)
  }

  async list(path: CleanPath): Promise<readonly Entry[] | undefined> {
    const folder = await this.#folder(path)
    if (!folder) return undefined
    const entries: Entry[] = []
    for (const name of [...folder.items.keys()].sort()) {
      const entry = await this.stat(joinPath(path, name))
      if (entry) entries.push(entry)
    }
    return entries
  }

  async names(path: CleanPath): Promise<readonly string[]> {
    return [...((await this.#folder(path))?.items.keys() ?? [])]
  }

  /** Also undefined for a symlink that leads out of `within`, and for a device. */
  stamp(path: CleanPath): Promise<Stamp | undefined> {
    let stamp = this.#stamps.get(path)
    if (!stamp) {
      stamp = this.#lookUp(path)
      this.#stamps.set(path, stamp)
    }
    return stamp
  }

  /** Also has the stamps of the folders that were read. A folder that was only looked up is left out. */
  async seen(): Promise<Map<string, Stamp>> {
    const seen = new Map<string, Stamp>()
    for (const [path, folder] of this.#folders) {
      const found = await folder
      if (found) seen.set(path, found.stamp)
    }
    for (const [path, stamp] of this.#stamps) {
      const found = await stamp
      if (found && !found.folder) seen.set(path, found)
    }
    return seen
  }

  async #lookUp(path: CleanPath): Promise<Stamp | undefined> {
    if (path === '/') return (await this.#folder(path))?.stamp
    const parent = await this.#folder(parentPath(path))
    const item = parent?.items.get(baseName(path))
    if (!parent || !item) return undefined
    const file = join(parent.stamp.file, item.name)
    if (item.isFile() || item.isDirectory()) return stampOf(file)
    if (!item.isSymbolicLink()) return undefined
    const real = await realpath(file).catch(() => undefined)
    return real !== undefined && isInside(this.#within, real) ? stampOf(real) : undefined
  }

  #folder(path: CleanPath): Promise<Folder | undefined> {
    let folder = this.#folders.get(path)
    if (!folder) {
      folder = this.stamp(path).then((stamp) => (stamp?.folder ? readFolder(stamp.file) : undefined))
      this.#folders.set(path, folder)
    }
    return folder
  }
}

interface Folder {
  readonly stamp: Stamp
  readonly items: ReadonlyMap<string, Dirent>
}

/**
 * Takes the stamp before it reads the names: a name that is added in between changes the stamp of the next
 * scan.
 */
async function readFolder(real: string): Promise<Folder | undefined> {
  const stamp = await stampOf(real)
  if (!stamp?.folder) return undefined
  const items = await itemsIn(real)
  return items && { stamp, items: new Map(items.map((item) => [item.name, item])) }
}

/**
 * The entries of a folder. Undefined when it cannot be read, for whatever reason: for a scan it is then not there.
 * `itemsIn` of disk.ts, which clients' listings are made from, is stricter.
 */
export function itemsIn(folder: string): Promise<Dirent[] | undefined> {
  return new Promise((resolve) => {
    readdir(folder, { withFileTypes: true }, (error, items) =>
      resolve(error ? undefined : items.filter(({ name }) => isServedName(name))),
    )
  })
}

/**
 * Takes the stamp of an absolute path, symlinks followed. Undefined when nothing readable is there. Callbacks
 * are used because `fs/promises` takes twice the time, and a thousand trees have some 30,000 files and
 * folders to read.
 */
export function stampOf(file: string): Promise<Stamp | undefined> {
  return new Promise((resolve) => {
    stat(file, (error, stats) => {
      resolve(!error && (stats.isFile() || stats.isDirectory()) ? toStamp(file, stats) : undefined)
    })
  })
}

/** Takes the stamp of the same file or folder again. */
export async function stampAgain(stamp: Stamp): Promise<Stamp | undefined> {
  if (!stamp.inside) return stampOf(stamp.file)
  const image = await stampOf(stamp.inside.image)
  return image && { ...stamp, mtimeMs: image.mtimeMs, ctimeMs: image.ctimeMs, inode: image.inode }
}

function toStamp(file: string, stats: Stats): Stamp {
  const folder = stats.isDirectory()
  const { mtimeMs, ctimeMs, ino } = stats
  return { file, folder, size: folder ? 0 : stats.size, mtimeMs, ctimeMs, inode: ino }
}

/**
 * Whether the bytes are the same, judged without reading them. Ignores ctime: `chmod` and hard links change
 * no byte.
 */
export function sameStamp(a: Stamp | undefined, b: Stamp | undefined): boolean {
  if (!a || !b) return a === b
  return a.size === b.size && a.mtimeMs === b.mtimeMs && a.inode === b.inode && a.folder === b.folder
}

function entryOf(name: string, stamp: Stamp): Entry {
  // Coarser than that of disk.ts: no client gets the entries of a scan.
  const etag = `${stamp.inode.toString(36)}-${stamp.size.toString(36)}-${stamp.mtimeMs.toString(36)}`
  if (stamp.folder) return folderEntry(name, stamp.mtimeMs, etag)
  return {
    name,
    kind: 'file',
    size: stamp.size,
    modifiedMs: stamp.mtimeMs,
    etag,
    extent: { file: stamp.file, offset: 0 },
    open: () => openFile(stamp),
  }
}

/**
 * Opens the file as it is now, unlike `openSame` of disk.ts: `seen` has the stamp from before, so the next scan
 * finds a change in between. A symlink that took the place of a folder above it is refused all the same.
 */
async function openFile(stamp: Stamp): Promise<OpenFile> {
  // NONBLOCK: a pipe that took the file's place would keep us waiting for a writer.
  const handle = await open(stamp.file, constants.O_RDONLY | constants.O_NONBLOCK)
  const [stats, real] = await Promise.all([handle.stat(), realPathOf(handle.fd, stamp.file)])
  if (!stats.isFile() || real !== stamp.file) {
    await handle.close()
    throw new Failure('conflict', `${stamp.file} was replaced while it was being opened; try again`)
  }
  return {
    size: stats.size,
    read: async (target, offset, length, position) =>
      (await handle.read(target, offset, length, position)).bytesRead,
    close: () => handle.close(),
  }
}
