import { constants } from 'node:fs'
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
  utimes,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Failure, failureKind } from '../../core/failure.ts'
import { diskSource } from '../../files/disk.ts'
import { type CleanPath, cleanPath, parentPath, rootPath } from '../../files/path.ts'
import type { FileSource } from '../../files/source.ts'
import type { UploadFile, WriteFrom } from '../../files/upload-area.ts'
import { makeFolder, syncFolder } from '../../host/atomic-write.ts'
import { FreeSpace } from '../../host/free-space.ts'
import { syncFile } from '../../versions/durable.ts'
import { isAtOrBelow, PartialFiles } from './partial-files.ts'

/** The folder on the disk and the files in it, once the configuration is known. */
interface OpenFolder {
  readonly folder: string
  readonly files: FileSource
  readonly partial: PartialFiles
  readonly space: FreeSpace
}

/**
 * The files in the upload area, and every change to them. While a path is held, no change can begin at, below
 * or above it.
 * Failures name paths of the area, never paths of this machine.
 */
export class UploadFolder {
  /** Where the area appears in the namespace. */
  readonly root: CleanPath = cleanPath('/incoming')
  /** The files that are being written, and how many bytes of each are on the disk. */
  readonly #writing = new Map<CleanPath, number>()
  readonly #held = new Set<CleanPath>()
  #opened: OpenFolder | undefined

  /** @param partialFolder For the records of files that are not complete. */
  protected async openFolder(folder: string, partialFolder: string, minFree?: number): Promise<void> {
    await makeFolder(folder)
    const partial = new PartialFiles(partialFolder)
    const isThere = (path: CleanPath) => lstat(join(folder, path)).then(Boolean, () => false)
    await partial.load(isThere)
    // A process that was killed may not have synced them, and clients are told their sizes.
    for (const path of partial.below(rootPath)) await syncFile(join(folder, path))
    this.#opened = { folder, files: diskSource(folder), partial, space: new FreeSpace(folder, minFree) }
  }

  /** Called after each change, with the path that changed. */
  protected onChange(_path: CleanPath): void {}

  get #open(): OpenFolder {
    if (!this.#opened)
      throw new Failure(
        'unavailable',
        'uploads are not open: the server is starting, or its folder of trees is missing',
      )
    return this.#opened
  }

  get files(): FileSource {
    return this.#open.files
  }

  /** The path on the disk. */
  diskPath(path: CleanPath): string {
    return path === rootPath ? this.#open.folder : join(this.#open.folder, path)
  }

  /** The names at the top of the area. */
  async names(): Promise<readonly string[]> {
    return (await readdir(this.diskPath(rootPath))).sort()
  }

  /** The size of a file; undefined for a folder, or when nothing is there. */
  async size(path: CleanPath): Promise<number | undefined> {
    const stats = await stat(this.diskPath(path)).catch(() => undefined)
    return stats?.isFile() ? stats.size : undefined
  }

  /**
   * The position at which a client goes on: after the bytes that are on the disk. Undefined when there is no file.
   */
  async offset(path: CleanPath): Promise<number | undefined> {
    return this.#writing.get(path) ?? this.size(path)
  }

  /** Whether this file is not complete. */
  isPartial(path: CleanPath): boolean {
    return this.partialFiles(path).includes(path)
  }

  /** The files at or below a path that are not complete, sorted. */
  partialFiles(path: CleanPath): readonly CleanPath[] {
    return this.#open.partial.below(path)
  }

  /** Whether a transfer writes to a file at or below a path now. */
  isReceiving(path: CleanPath): boolean {
    return [...this.#writing.keys()].some((file) => isAtOrBelow(path, file))
  }

  /** Whether something at, below or above a path is held. */
  isHeld(path: CleanPath): boolean {
    return this.#holderOf(path) !== undefined
  }

  /**
   * Forbids every new change at, below and above a path, until the returned function is called. A file that is
   * being written goes on: until its end it is partial, and a folder with partial files is not published.
   *
   * @throws Failure `unavailable` while a path at, below or above it is held already.
   */
  protected hold(path: CleanPath): () => void {
    this.#checkNotHeld(path)
    this.#held.add(path)
    return () => void this.#held.delete(path)
  }

  async openForWriting(path: CleanPath, from: WriteFrom): Promise<UploadFile> {
    this.#checkNotHeld(path)
    if (path === rootPath) throw new Failure('bad-request', 'a file needs a name')
    if (this.#writing.has(path))
      throw new Failure('conflict', `${path} is being uploaded by another connection; wait for its end`)
    this.#writing.set(path, 0)
    try {
      const file = await this.#openFile(path, from)
      this.onChange(path)
      return file
    } catch (error) {
      this.#writing.delete(path)
      throw error
    }
  }

  makeFolder(path: CleanPath): Promise<void> {
    return this.#change([path], async () => {
      await mkdir(this.diskPath(path))
      await this.#syncAbove(path)
    })
  }

  /** Makes a folder and all folders above it. Folders that exist already stay. */
  makeFolders(path: CleanPath): Promise<void> {
    return this.#change([path], () => makeFolder(this.diskPath(path)))
  }

  rename(from: CleanPath, to: CleanPath): Promise<void> {
    return this.#change([from, to], async () => {
      if (this.isReceiving(from))
        throw new Failure('conflict', `${from} is being uploaded by another connection; wait for its end`)
      const target = await lstat(this.diskPath(to)).catch(() => undefined)
      if (target?.isDirectory()) throw new Failure('conflict', `${to} is a folder that exists already`)
      const wasPartial = this.isPartial(from)
      // The area itself cannot be moved: its new place would be in itself (EINVAL).
      await this.#open.partial.move(from, to, async () => {
        await rename(this.diskPath(from), this.diskPath(to))
        for (const path of [to, from]) await this.#syncAbove(path)
      })
      // A complete file replaced a partial one.
      if (target && !wasPartial) await this.#open.partial.end(to)
    })
  }

  removeFile(path: CleanPath): Promise<void> {
    return this.#change([path], async () => {
      const stats = await lstat(this.diskPath(path))
      if (stats.isDirectory()) throw new Failure('bad-request', `${path} is a folder`)
      await rm(this.diskPath(path))
      await this.#syncAbove(path)
      await this.#open.partial.end(path)
    })
  }

  removeFolder(path: CleanPath): Promise<void> {
    return this.#change([path], async () => {
      checkNotRoot(path)
      await rmdir(this.diskPath(path))
      await this.#syncAbove(path)
    })
  }

  /** Removes a file, or a folder with everything in it. */
  removeAll(path: CleanPath): Promise<void> {
    return this.#change([path], async () => {
      checkNotRoot(path)
      // Fails when nothing is there; `rm` with `force` does not.
      await lstat(this.diskPath(path))
      await rm(this.diskPath(path), { recursive: true, force: true })
      await this.#syncAbove(path)
      await this.#open.partial.endBelow(path)
    })
  }

  setModified(path: CleanPath, modifiedMs: number): Promise<void> {
    return this.#change([path], () => utimes(this.diskPath(path), modifiedMs / 1000, modifiedMs / 1000))
  }

  /** Removes the folders above a path that are empty. */
  async removeEmptyAbove(path: CleanPath): Promise<void> {
    for (let at = parentPath(path); at !== rootPath; at = parentPath(at)) {
      const removed = await rmdir(this.diskPath(at)).then(
        () => true,
        () => false,
      )
      if (!removed) return
    }
  }

  async #openFile(path: CleanPath, from: WriteFrom): Promise<UploadFile> {
    const { partial } = this.#open
    let handle: FileHandle | undefined
    try {
      await partial.begin(path)
      // NOFOLLOW: clients cannot make symlinks here, so a symlink in this place was made to do harm.
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW
      handle = await open(this.diskPath(path), flags, 0o644)
      const position = await truncateForWriting(handle, path, from)
      return this.#uploadFile(path, handle, position)
    } catch (error) {
      await handle?.close()
      // A file that could not be created (its name is too long, the disk is full) cannot be resumed.
      if (!handle && (await this.size(path)) === undefined) await partial.end(path).catch(() => undefined)
      throw failureOf(path, error)
    }
  }

  #uploadFile(path: CleanPath, handle: FileHandle, start: number): UploadFile {
    let position = start
    this.#writing.set(path, start)
    const sync = async (): Promise<void> => {
      const written = position
      await handle.datasync()
      this.#writing.set(path, written)
    }
    return {
      write: (bytes) =>
        mapErrors(path, async () => {
          await this.#open.space.check(path, bytes.length)
          for (let done = 0; done < bytes.length; ) {
            const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position)
            done += bytesWritten
            position += bytesWritten
          }
        }),
      sync: () => mapErrors(path, sync),
      close: async (outcome) => {
        try {
          // Of a partial file, too: the client is told how many of its bytes are here.
          await mapErrors(path, async () => {
            await sync()
            await this.#syncAbove(path)
          })
        } finally {
          await handle.close()
          this.#writing.delete(path)
          this.onChange(path)
        }
        if (outcome === 'complete') await mapErrors(path, () => this.#open.partial.end(path))
      },
    }
  }

  /** Makes the name of a file or folder durable. */
  #syncAbove(path: CleanPath): Promise<void> {
    return syncFolder(dirname(this.diskPath(path)))
  }

  /** @param paths The first one is named in failures. */
  async #change(paths: readonly [CleanPath, ...CleanPath[]], change: () => Promise<void>): Promise<void> {
    for (const path of paths) this.#checkNotHeld(path)
    await mapErrors(paths[0], change)
    for (const path of paths) this.onChange(path)
  }

  #checkNotHeld(path: CleanPath): void {
    const held = this.#holderOf(path)
    if (held !== undefined)
      throw new Failure('unavailable', `${held} is being verified; try again when that is done`)
  }

  #holderOf(path: CleanPath): CleanPath | undefined {
    return [...this.#held].find((held) => isAtOrBelow(held, path) || isAtOrBelow(path, held))
  }
}

/** Truncates the file at the position at which writing begins, and returns that position. */
async function truncateForWriting(handle: FileHandle, path: CleanPath, from: WriteFrom): Promise<number> {
  const { size } = await handle.stat()
  const position = from === 'end' ? size : from
  if (!Number.isSafeInteger(position) || position < 0 || position > size)
    throw new Failure('bad-request', `${path} has ${size} bytes, so nothing can be written at ${from}`)
  if (position < size) await handle.truncate(position)
  return position
}

function checkNotRoot(path: CleanPath): void {
  if (path === rootPath) throw new Failure('conflict', 'the upload area itself stays')
}

const failuresByCode: Readonly<
  Record<string, readonly ['not-found' | 'conflict' | 'too-large' | 'bad-request', string]>
> = {
  ENOENT: ['not-found', 'does not exist, or the folder above it does not'],
  ENOTDIR: ['conflict', 'lies below a file'],
  EISDIR: ['conflict', 'is a folder'],
  EEXIST: ['conflict', 'exists already'],
  ENOTEMPTY: ['conflict', 'is not empty'],
  ENOSPC: ['too-large', 'does not fit: the disk is full, or has no inode left'],
  EDQUOT: ['too-large', 'does not fit: the quota is used up'],
  EFBIG: ['too-large', 'is larger than the file system allows'],
  ELOOP: ['bad-request', 'is a link'],
  ENAMETOOLONG: ['bad-request', 'has too long a name'],
  EINVAL: ['bad-request', 'cannot be moved into itself'],
}

/** Maps a system error to a Failure that names the path of the area. */
export function failureOf(path: CleanPath, cause: unknown): Failure {
  if (cause instanceof Failure) return cause
  const [kind, message] = failuresByCode[(cause as NodeJS.ErrnoException).code ?? ''] ?? []
  if (kind === undefined) return new Failure(failureKind(cause), `${path} cannot be written here`, { cause })
  return new Failure(kind, `${path} ${message}`, { cause })
}

async function mapErrors<T>(path: CleanPath, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw failureOf(path, cause)
  }
}
