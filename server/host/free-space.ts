import { statfs } from 'node:fs/promises'
import { Failure } from '../core/failure.ts'

/** What large writes leave free: the smaller of these bytes and this part of the file system. */
const leftFree = { bytes: 2 ** 30, part: 0.02 }
/** Files that are smaller together than this are written without asking for the free space anew. */
const askedEachBytes = 32 * 2 ** 20

/** Watches the free space of a file system while many files are written to it. */
export class FreeSpace {
  readonly #folder: string
  #unaskedBytes = Number.POSITIVE_INFINITY

  /** @param folder An existing folder of the file system. */
  constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * Checks that so many bytes can be written.
   *
   * @param what What has these bytes, for the message.
   * @throws Failure `too-large` when they do not fit.
   */
  async check(what: string, bytes: number): Promise<void> {
    this.#unaskedBytes += bytes
    if (this.#unaskedBytes < askedEachBytes) return
    const { bavail, blocks, bsize } = await statfs(this.#folder)
    // Some file systems (FUSE) do not say.
    if (blocks === 0) return
    const free = Math.floor(bavail * bsize - Math.min(leftFree.bytes, blocks * bsize * leftFree.part))
    if (bytes > free)
      throw new Failure(
        'too-large',
        `${what} needs ${bytes} bytes of disk space, and there is room for ${Math.max(0, free)}; make room and try again`,
      )
    this.#unaskedBytes = 0
  }
}
