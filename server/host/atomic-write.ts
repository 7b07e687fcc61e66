import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/**
 * Writes small files so that a crash of the machine leaves the old file or the new one, never half of one.
 */

/** Text, bytes, or bytes in pieces. */
export type Content = string | Uint8Array | Iterable<Uint8Array>

export interface WriteOptions {
  /** Permissions of the file from its first moment; the umask applies. Default: 0o644. */
  readonly mode?: number
  /** A file of which the new one gets owner, group and permissions, as far as this user may give them. */
  readonly like?: Ownership
  /** The caller writes many files of a folder, and makes their names durable with one `syncFolder` at the end. */
  readonly namesLater?: boolean
}

/** The part of `Stats` that says whose a file is. */
export interface Ownership {
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

/**
 * Replaces a file, or creates it: writes a temporary file beside it, syncs it, renames it, syncs the folder.
 */
export async function writeAtomically(
  file: string,
  content: Content,
  options: WriteOptions = {},
): Promise<void> {
  await withTempFile(file, content, options, (temp) => rename(temp, file))
}

/**
 * Creates a file; false when it exists already. Of two processes that create it at once, only one gets true.
 */
export async function createAtomically(
  file: string,
  content: Content,
  options: WriteOptions = {},
): Promise<boolean> {
  try {
    // link(2) fails where rename(2) would replace what another process has just written.
    await withTempFile(file, content, options, (temp) => link(temp, file))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    // The other process may not have come so far, and our caller relies on the file, too.
    await syncFolder(dirname(file))
    return false
  }
}

/**
 * Writes a temporary file beside `file`, and calls `place` to give it its final name. The temporary name is
 * hidden and random, and the file is opened exclusively, so a link of that name is never followed.
 */
export async function withTempFile(
  file: string,
  content: Content,
  { like, mode = like ? like.mode & 0o700 : 0o644, namesLater = false }: WriteOptions,
  place: (temp: string) => Promise<void>,
): Promise<void> {
  const temp = join(dirname(file), `.${basename(file)}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`)
  const handle = await open(temp, 'wx', mode)
  try {
    try {
      if (like) await makeLike(handle, like)
      await writeFile(handle, content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await place(temp)
  } finally {
    await rm(temp, { force: true })
  }
  if (!namesLater) await syncFolder(dirname(file))
}

/** Whoever runs a command as root must not take the file from the user of the server. */
async function makeLike(handle: FileHandle, { uid, gid, mode }: Ownership): Promise<void> {
  const give = (user: number) =>
    handle.chown(user, gid).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (cannotGiveCodes.has(error.code ?? '')) return false
        throw error
      },
    )
  // Only root gives files to other users; anybody gives his own to his groups.
  if (!(await give(uid))) await give(-1)
  await handle.chmod(mode & 0o777)
}

/** Also of file systems that have no owners. */
const cannotGiveCodes = new Set(['EPERM', 'EINVAL', 'ENOTSUP', 'ENOSYS'])

/**
 * Makes a folder and the missing ones above it, and makes their names durable. A folder that exists stays. `mkdir`
 * with `recursive` is not used: when the disk has no inode left, it says ENOENT, because libuv looks at the folder then
 * and returns what that finds.
 */
export async function makeFolder(folder: string): Promise<void> {
  const above = dirname(folder)
  try {
    await mkdir(folder)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && above !== folder) {
      await makeFolder(above)
      return makeFolder(folder)
    }
    if (code !== 'EEXIST' || !(await stat(folder)).isDirectory()) throw error
    return
  }
  await syncFolder(above)
}

/**
 * Error codes of file systems that cannot sync a folder (FUSE, SMB), and of a folder that we may write but
 * not read.
 */
const cannotSyncCodes = new Set(['EINVAL', 'ENOTSUP', 'EPERM', 'EISDIR', 'EACCES'])

/** Makes the names in a folder durable, if the file system can do that. */
export async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined
  try {
    handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY)
    await handle.sync()
  } catch (error) {
    if (!cannotSyncCodes.has((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    await handle?.close()
  }
}
