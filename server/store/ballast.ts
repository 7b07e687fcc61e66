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
    await writeAtomically(this.#file, incompressible(), { mode: 0o600 })
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

/**
 * Bytes that take up their whole size: a file system may compress, or keep equal blocks only once. To make 8 MiB of
 * random bytes would stop the process for 20 ms.
 */
function* incompressible(): Generator<Uint8Array> {
  const [pieces, blockBytes] = [8, 4096]
  const bytes = randomBytes(ballastBytes / pieces)
  for (let piece = 0; piece < pieces; piece++) {
    for (let at = 0; at < bytes.length; at += blockBytes) bytes.writeUInt32LE(piece, at)
    yield bytes
  }
}
