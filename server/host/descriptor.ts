import { close, constants, fstat, lstat, open, readlink, readlinkSync, realpath, realpathSync } from 'node:fs'
import { promisify } from 'node:util'

/**
 * Where an open file or folder really lies. A path is resolved anew by every system call, so a check of a path
 * says nothing about the next call: another process may put a symlink into the middle of it meanwhile. A
 * descriptor cannot be led elsewhere. So files are opened first, and the kernel is asked afterwards where they are.
 */

/** Linux: O_PATH (open(2)) needs no permission to read, and neither waits for a pipe nor wakes a device. */
const oPath = 0o10000000
/** Flags to open any file or folder for `fstat` and `realPathOf`, and not for reading. */
export const pathOnly = process.platform === 'linux' ? oPath : constants.O_RDONLY | constants.O_NONBLOCK

const realpathOf = promisify(realpath.native)

/** Callbacks are used here and below because `fs/promises` takes twice the time. */
export function openDescriptor(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, flags, (error, fd) => (error ? reject(error) : resolve(fd)))
  })
}

/** Nobody waits for the end: `close` frees the number in any case. */
export function closeDescriptor(fd: number): void {
  close(fd, () => undefined)
}

/**
 * A path to an open file or folder of this process, for calls that take no descriptor: no symlink can lead it
 * elsewhere. Only Linux has one; other systems use the real path.
 */
export function descriptorPath(fd: number, real: string): string {
  return process.platform === 'linux' ? linkOf(fd) : real
}

function linkOf(fd: number): string {
  return `/proc/self/fd/${fd}`
}

/** What the kernel adds to the path of a file that was deleted or replaced (proc_pid_fd(5)). */
const deletedMark = ' (deleted)'

/**
 * The real path of an open file or folder; of one that was deleted, the path that it had. Where there is no
 * `/proc`, the path by which it was opened is resolved once more, and counts only while it leads to the same file.
 *
 * @returns Undefined when that path leads elsewhere by now.
 */
export async function realPathOf(fd: number, openedAs: string): Promise<string | undefined> {
  const real = await linkTarget(fd)
  if (real === undefined) return resolveAgain(fd, openedAs)
  if (!real.endsWith(deletedMark)) return real
  // A file may have such a name.
  return (await isAt(fd, real)) ? real : real.slice(0, -deletedMark.length)
}

/** Whether an open file is, or was until it was deleted, at a real path. For threads that may wait. */
export function isAtSync(fd: number, real: string): boolean {
  try {
    const found = readlinkSync(linkOf(fd))
    return found === real || found === `${real}${deletedMark}`
  } catch (error) {
    // There is no `/proc`.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return realpathSync.native(real) === real
    throw error
  }
}

function linkTarget(fd: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    readlink(linkOf(fd), (error, target) => {
      if (!error) resolve(target)
      else if (error.code === 'ENOENT') resolve(undefined)
      else reject(error)
    })
  })
}

async function resolveAgain(fd: number, openedAs: string): Promise<string | undefined> {
  const real = await realpathOf(openedAs)
  return (await isAt(fd, real)) ? real : undefined
}

async function isAt(fd: number, path: string): Promise<boolean> {
  const [named, opened] = await Promise.all([
    promisify(lstat)(path).catch(() => undefined),
    promisify(fstat)(fd),
  ])
  return named?.ino === opened.ino && named.dev === opened.dev
}
