import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, rename, rm, rmdir, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Failure, failureKind } from '../../core/failure.ts'
import { type CleanPath, parentPath } from '../../files/path.ts'
import type { PartialFiles } from './partial-files.ts'

/** A number: at this byte; all before it stays, all after it goes. `end`: after what is there. */
export type WriteFrom = number | 'end'

export interface UploadFile {
  /** Where the next byte goes. */
  readonly position: number
  write(bytes: Uint8Array): Promise<void>
  /** Resolves when all that was written has reached the disk. */
  sync(): Promise<void>
  /** `partial`: the connection broke. What came stays, for a resumed upload. Called once, always. */
  close(outcome: 'complete' | 'partial'): Promise<void>
}

/** Files as they arrive. Plain folder operations whose refusals are told in paths of the area. */
export class UploadFolder {
  readonly #folder: string
  readonly #partial: PartialFiles
  readonly #writing = new Set<CleanPath>()

  constructor(folder: string, partial: PartialFiles) {
    this.#folder = folder
    this.#partial = partial
  }

  /** Files that a transfer is writing to now. */
  get writing(): ReadonlySet<CleanPath> {
    return this.#writing
  }

  at(path: CleanPath): string {
    return path === '/' ? this.#folder : join(this.#folder, path)
  }

  async open(path: CleanPath, from: WriteFrom): Promise<UploadFile> {
    if (path === '/') throw new Failure('bad-request', 'a file needs a name')
    if (this.#writing.has(path))
      throw new Failure('conflict', `${path} is being uploaded by someone else; wait for its end`)
    this.#writing.add(path)
    let opened = false
    try {
      await told(path, this.#partial.begin(path))
      // NOFOLLOW: nobody can make links here, and if one is here all the same it leads nowhere good.
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW
      const handle = await told(path, open(this.at(path), flags, 0o644))
      opened = true
      return await this.#writer(path, handle, from)
    } catch (error) {
      this.#writing.delete(path)
      // What cannot even be opened (a name that is too long, a full disk) is no upload that somebody could finish.
      if (!opened && (await this.size(path)) === undefined)
        await this.#partial.end(path).catch(() => undefined)
      throw error
    }
  }

  async #writer(path: CleanPath, handle: FileHandle, from: WriteFrom): Promise<UploadFile> {
    const writing = this.#writing
    const partial = this.#partial
    let position: number
    try {
      const { size } = await handle.stat()
      position = from === 'end' ? size : from
      if (!Number.isSafeInteger(position) || position < 0 || position > size)
        throw new Failure('bad-request', `${path} has ${size} bytes, so nothing can be written at ${from}`)
      if (position < size) await handle.truncate(position)
    } catch (error) {
      await handle.close()
      throw error
    }
    return {
      get position() {
        return position
      },
      async write(bytes) {
        for (let done = 0; done < bytes.length; ) {
          const { bytesWritten } = await told(path, handle.write(bytes, done, bytes.length - done, position))
          done += bytesWritten
          position += bytesWritten
        }
      },
      sync: () => told(path, handle.datasync()),
      async close(outcome) {
        try {
          if (outcome === 'complete') await told(path, handle.datasync())
        } finally {
          await handle.close()
          writing.delete(path)
        }
        if (outcome === 'complete') await partial.end(path)
      },
    }
  }

  async makeFolder(path: CleanPath, parents = false): Promise<void> {
    await told(path, mkdir(this.at(path), { recursive: parents }))
  }

  async rename(from: CleanPath, to: CleanPath): Promise<void> {
    const there = await lstat(this.at(to)).catch(() => undefined)
    if (there?.isDirectory()) throw new Failure('conflict', `${to} is a folder that is there already`)
    await told(from, rename(this.at(from), this.at(to)))
    await this.#partial.moved(from, to)
  }

  async removeFile(path: CleanPath): Promise<void> {
    const stats = await told(path, lstat(this.at(path)))
    if (stats.isDirectory()) throw new Failure('bad-request', `${path} is a folder`)
    await told(path, rm(this.at(path)))
    await this.#partial.end(path)
  }

  removeFolder(path: CleanPath): Promise<void> {
    if (path === '/') throw new Failure('conflict', 'the upload area itself stays')
    return told(path, rmdir(this.at(path)))
  }

  /** A file or a folder with all that is in it. */
  async removeAll(path: CleanPath): Promise<void> {
    if (path === '/') throw new Failure('conflict', 'the upload area itself stays')
    await told(path, lstat(this.at(path)))
    await told(path, rm(this.at(path), { recursive: true, force: true }))
    await this.#partial.endBelow(path)
  }

  setModified(path: CleanPath, modifiedMs: number): Promise<void> {
    return told(path, utimes(this.at(path), modifiedMs / 1000, modifiedMs / 1000))
  }

  async size(path: CleanPath): Promise<number | undefined> {
    const stats = await stat(this.at(path)).catch(() => undefined)
    return stats?.isFile() ? stats.size : undefined
  }

  /** Removes the folders above a path that nothing is left in. */
  async removeEmptyAbove(path: CleanPath): Promise<void> {
    for (let at = parentPath(path); at !== '/'; at = parentPath(at)) {
      const removed = await rmdir(join(this.#folder, at)).then(
        () => true,
        () => false,
      )
      if (!removed || dirname(at) === at) return
    }
  }
}

const meanings: Readonly<
  Record<string, readonly ['not-found' | 'conflict' | 'too-large' | 'bad-request', string]>
> = {
  ENOENT: ['not-found', 'is not there, or the folder above it is not'],
  ENOTDIR: ['conflict', 'lies below a file'],
  EISDIR: ['conflict', 'is a folder'],
  EEXIST: ['conflict', 'is there already'],
  ENOTEMPTY: ['conflict', 'is not empty'],
  ENOSPC: ['too-large', 'does not fit: the disk is full'],
  EDQUOT: ['too-large', 'does not fit: the quota is used up'],
  EFBIG: ['too-large', 'is larger than the file system allows'],
  ELOOP: ['bad-request', 'is a link'],
  ENAMETOOLONG: ['bad-request', 'has too long a name'],
  EINVAL: ['bad-request', 'cannot be moved into itself'],
}

/** A system error in words of the area; folders of this machine stay out of it. */
async function told<T>(path: CleanPath, doing: Promise<T>): Promise<T> {
  try {
    return await doing
  } catch (cause) {
    const [kind, message] = meanings[(cause as NodeJS.ErrnoException).code ?? ''] ?? []
    if (kind === undefined) throw new Failure(failureKind(cause), `${path} cannot be written here`, { cause })
    throw new Failure(kind, `${path} ${message}`, { cause })
  }
}
