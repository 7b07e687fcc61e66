import { randomBytes } from 'node:crypto'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure, failureMessage } from '../core/failure.ts'
import { writeAtomically } from '../host/atomic-write.ts'
import { spaceOf } from '../host/free-space.ts'

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

/** With less free than this in bytes, SQLite cannot open a store: it makes the index of its log, and says "disk I/O error". */
const leastFree = 256 * 1024

/**
 * Opens what is in the data folder. On a full disk the ballast is given up for it: a server that does not start sends no
 * machine to its disk.
 *
 * @throws Failure `unavailable` when the disk is full all the same, and what `open` throws.
 */
export async function inSpiteOfFullDisk<T>(dataFolder: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (error) {
    if (!(await isFull(dataFolder))) throw error
    if (await new Ballast(dataFolder).release()) return open()
    throw new Failure(
      'unavailable',
      `${failureMessage(error)}: the disk of ${dataFolder} is full; make room and try again`,
      { cause: error },
    )
  }
}

async function isFull(folder: string): Promise<boolean> {
  const now = await spaceOf(folder, 0).catch(() => undefined)
  return now !== undefined && now.free < leastFree
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
