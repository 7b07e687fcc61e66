import { statfs } from 'node:fs/promises'
import { Failure } from '../core/failure.ts'

/** Files that are smaller together than this are written without asking for the free space anew. */
const askedEachBytes = 32 * 2 ** 20

/** How often `watchSpace` looks. In that time a gigabit brings 60 MB. */
const watchMs = 500

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

/**
 * Watches the file system of a folder while another program writes to it, from now on.
 *
 * @param what What is written, for the message.
 * @param onFull Called once, with a Failure `too-large`, when less is free than is to be kept.
 * @returns The function that ends the watch.
 */
export function watchSpace(
  { folder, minFree, what }: { folder: string; minFree?: number | undefined; what: string },
  onFull: (failure: Failure) => void,
): () => void {
  let ended = false
  const end = (): void => {
    ended = true
    clearInterval(timer)
  }
  const look = async (): Promise<void> => {
    const now = await spaceOf(folder, minFree).catch(() => undefined)
    if (ended || !now || now.free >= now.kept) return
    end()
    const message = `${what} was stopped: ${now.free} bytes of disk space are free, and limits.min-free keeps ${now.kept}; make room and try again`
    onFull(new Failure('too-large', message))
  }
  const timer = setInterval(() => void look(), watchMs)
  void look()
  return end
}
