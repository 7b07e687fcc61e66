import { randomBytes } from 'node:crypto'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAtomically } from '../host/atomic-write.ts'

/** Enough for thousands of commits and for the index of the write-ahead log. */
export const ballastBytes = 8 * 1024 * 1024

/**
 * A file in the data folder that only takes up space. When the disk is full it is deleted, so that what a machine
 * reports can still be stored. ext4 keeps 5 % for root, but not for the user that a service runs as, and other file
 * systems keep nothing.
 */
export class Ballast {
  readonly #file: string

  constructor(dataFolder: string) {
    this.#file = join(dataFolder, 'ballast')
  }

  /** Makes the file when it is missing. The caller makes sure that there is enough space beside it. */
  async keep(): Promise<void> {
    if (await this.isThere()) return
    // Random, because a file system may compress. It looks at 128 KiB at a time (btrfs, ZFS), so a MiB is enough.
    const times = 8
    await writeAtomically(this.#file, randomBytes(ballastBytes / times), { mode: 0o600, times })
  }

  async isThere(): Promise<boolean> {
    return stat(this.#file).then(
      ({ size }) => size >= ballastBytes,
      () => false,
    )
  }

  /** Deletes the file. False when there was none: then no space is won. */
  async release(): Promise<boolean> {
    const wasThere = await stat(this.#file).then(
      () => true,
      () => false,
    )
    await rm(this.#file, { force: true })
    return wasThere
  }
}
