import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'

/** A function of libc. koffi converts arguments as the prototype says. */
export interface NativeFunction {
  (...args: readonly unknown[]): number
  /** Runs in the thread pool. The last argument is the callback: an error or null, and the result. */
  async(...args: readonly unknown[]): void
}

export interface Libc {
  /** @param prototype As in C: `int dup(int fd)`. */
  func(prototype: string): NativeFunction
}

/** What we use of koffi. */
export interface Koffi {
  load(library: null): Libc
  /** Where the bytes of a buffer are. */
  address(buffer: Uint8Array): bigint
  /** Of the last call in this thread. */
  errno(): number
}

/**
 * Binds system calls that Node does not offer. They go through koffi, an optional dependency that ships its
 * binaries. Undefined on other systems than Linux, and where koffi is not installed or has no binary for this
 * processor: every caller has another way then.
 */
export function bindLibc<Calls>(bind: (libc: Libc, koffi: Koffi) => Calls): Calls | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi
    // Without a library, koffi finds the functions that this process has loaded: libc is among them.
    return bind(koffi.load(null), koffi)
  } catch {
    return undefined
  }
}

/** The error of a system call that failed, as Node's own calls throw it. */
export function systemError(errno: number, syscall: string, what: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno)
  return Object.assign(new Error(`${code}: ${what}`), { code, errno: -errno, syscall })
}
