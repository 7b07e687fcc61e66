import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'

/** renameat2(2) has a number of its own on each architecture; musl has no function for it before 1.2.6. */
const renameat2Number: Readonly<Record<string, number>> = { x64: 316, arm64: 276 }
/** Paths are relative to the working folder, or absolute (openat(2)). */
const AT_FDCWD = -100
const RENAME_EXCHANGE = 2

type SystemCall = (number: number, ...args: readonly (number | string)[]) => number | bigint

interface Koffi {
  load(library: null): { func(prototype: string): SystemCall }
  errno(): number
}

/**
 * Error codes of systems that cannot exchange names: a kernel or a sandbox without the call (ENOSYS, EPERM),
 * and file systems without it, such as NFS and many in user space (EINVAL, EOPNOTSUPP).
 */
const cannotExchangeCodes = new Set(['ENOSYS', 'EPERM', 'EINVAL', 'EOPNOTSUPP', 'ENOTSUP'])

/**
 * Exchanges what two names stand for, in one step: whoever looks finds both names at every moment, and so does
 * whoever looks after a crash. A folder can change places with a link, which rename(2) refuses (EISDIR).
 *
 * Linux has it as renameat2(2) with RENAME_EXCHANGE, and Node does not offer it. It goes through koffi, an
 * optional dependency. The call is synchronous: it is one rename.
 *
 * @returns False when this system or file system cannot do it. Nothing has changed then.
 */
export function exchangeNames(one: string, other: string): boolean {
  const native = loadNative()
  const number = renameat2Number[process.arch]
  if (!native || number === undefined) return false
  if (Number(native.renameat2(number, AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE)) === 0) return true
  const errno = native.errno()
  const code = getSystemErrorName(-errno)
  if (cannotExchangeCodes.has(code)) return false
  const message = `${code}: cannot exchange '${one}' and '${other}'`
  throw Object.assign(new Error(message), { code, errno: -errno, syscall: 'renameat2' })
}

interface Native {
  readonly renameat2: SystemCall
  errno(): number
}

let native: Native | undefined | 'not tried' = 'not tried'

function loadNative(): Native | undefined {
  if (native === 'not tried') native = process.platform === 'linux' ? tryNative() : undefined
  return native
}

function tryNative(): Native | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi
    // Without a library, koffi finds the functions that this process has loaded: libc is among them.
    const libc = koffi.load(null)
    const renameat2 = libc.func('long syscall(long, int, const char *, int, const char *, unsigned int)')
    return { renameat2, errno: () => koffi.errno() }
  } catch {
    return undefined // koffi is not installed, or has no binary for this processor
  }
}
