import { statfs } from 'node:fs/promises'
import { Failure } from '../core/failure.ts'

/** Files that are smaller together than this are written without asking for the free space anew. */
const askedEachBytes = 32 * 2 ** 20

/** A file system at one moment, in bytes. */
export interface SpaceNow {
  /** What this user may still write. */
  readonly free: number
  /** What large writes must leave free. */
  readonly kept: number
}

/**
 * Looks at the file system of a folder. Undefined where it does not say how large it is (some FUSE).
 *
 * @param minFree What is kept free. Default: the smaller of 1 GiB and 2 % of the file system.
 */
export async function spaceOf(folder: string, minFree?: number): Promise<SpaceNow | undefined> {
  const { bavail, blocks, bsize } = await statfs(folder)
  if (blocks === 0) return undefined
  return { free: bavail * bsize, kept: minFree ?? Math.min(2 ** 30, Math.floor(blocks * bsize * 0.02)) }
}

/**
 * Watches the free space of a file system while much is written to it. Trees can be fetched again, and what machines
 * reported cannot: so the last part of the disk is left to the latter.
 */
export class FreeSpace {
  readonly #folder: string
  readonly #minFree: number | undefined
  #unaskedBytes = Number.POSITIVE_INFINITY

  /**
   * @param folder An existing folder of the file system.
   * @param minFree `limits.min-free`, see `spaceOf`.
   */
  constructor(folder: string, minFree?: number) {
    this.#folder = folder
    this.#minFree = minFree
  }

  /**
   * Checks that so many more bytes can be written.
   *
   * @param what What has these bytes, for the message.
   * @throws Failure `too-large` when they do not fit.
   */
  async check(what: string, bytes: number): Promise<void> {
    this.#unaskedBytes += bytes
    if (this.#unaskedBytes < askedEachBytes) return
    const now = await spaceOf(this.#folder, this.#minFree)
    if (!now) return
    const room = Math.max(0, now.free - now.kept)
    if (bytes > room)
      throw new Failure(
        'too-large',
        `${what} needs ${bytes} bytes of disk space, and there is room for ${room}: limits.min-free keeps ${now.kept} free; make room and try again`,
      )
    this.#unaskedBytes = 0
  }
}
