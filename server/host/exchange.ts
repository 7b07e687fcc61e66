import { bindLibc, type Koffi, type Libc, systemError } from './koffi.ts'

/** renameat2(2) has a number of its own on each architecture; musl has no function for it before 1.2.6. */
const renameat2Number: Readonly<Record<string, number>> = { x64: 316, arm64: 276 }
/** Paths are relative to the working folder, or absolute (openat(2)). */
const AT_FDCWD = -100
const RENAME_EXCHANGE = 2

/**
 * Error codes of systems that cannot exchange names: a kernel or a sandbox without the call (ENOSYS, EPERM),
 * and file systems without it, such as NFS and many in user space (EINVAL, EOPNOTSUPP).
 */
const cannotExchangeCodes = new Set(['ENOSYS', 'EPERM', 'EINVAL', 'EOPNOTSUPP', 'ENOTSUP'])

/**
 * Exchanges what two names stand for, in one step: whoever looks finds both names at every moment, and so does
 * whoever looks after a crash. A folder can change places with a link, which rename(2) refuses (EISDIR).
 *
 * Linux has it as renameat2(2) with RENAME_EXCHANGE, and Node does not offer it. The call is
 * synchronous: it is one rename.
 *
 * @returns False when this system or file system cannot do it. Nothing has changed then.
 */
export function exchangeNames(one: string, other: string): boolean {
  const number = renameat2Number[process.arch]
  if (native === 'not tried') native = bindLibc(bindCalls)
  if (!native || number === undefined) return false
  if (native.renameat2(number, AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) === 0) return true
  const error = systemError(native.errno(), 'renameat2', `cannot exchange '${one}' and '${other}'`)
  if (cannotExchangeCodes.has(error.code ?? '')) return false
  throw error
}

let native: ReturnType<typeof bindCalls> | undefined | 'not tried' = 'not tried'

function bindCalls(libc: Libc, koffi: Koffi) {
  return {
    renameat2: libc.func('long syscall(long, int, const char *, int, const char *, unsigned int)'),
    errno: () => koffi.errno(),
  }
}
