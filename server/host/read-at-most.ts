import { constants, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Failure } from '../core/failure.ts'

/** The size of the first buffer for a file that does not say its size, such as one of /proc. */
const leastBytes = 4096

/**
 * Reads a whole file. Undefined when it has more than `maxBytes`: such a file is not read, and one that grows
 * meanwhile, or a device without end, not further than that.
 */
export async function readAtMost(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const file = await open(path)
  return readOpen(file, file.stat(), maxBytes)
}

/**
 * As `readAtMost`, of a regular file, which may be a link to one. To open a FIFO waits for its writer, mostly for ever,
 * and four such waits are all the threads that Node.js has for files: then nothing is read any more.
 *
 * @throws Failure `invalid-data` for anything else.
 */
export async function readFileAtMost(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const stats = await file.stat()
  if (stats.isFile()) return readOpen(file, stats, maxBytes)
  await file.close()
  throw new Failure(
    'invalid-data',
    `is a ${stats.isDirectory() ? 'folder' : 'pipe or a device'}, and no file`,
  )
}

async function readOpen(
  file: FileHandle,
  stats: Stats | Promise<Stats>,
  maxBytes: number,
): Promise<Buffer | undefined> {
  try {
    const { size } = await stats
    if (size > maxBytes) return undefined
    // One byte more than the file has: the reading that fills the buffer shows that it has grown.
    let bytes = Buffer.allocUnsafe(Math.max(size + 1, leastBytes))
    for (let filled = 0; ; ) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled)
      if (bytesRead === 0) return bytes.subarray(0, filled)
      filled += bytesRead
      if (filled > maxBytes) return undefined
      if (filled === bytes.length) bytes = Buffer.concat([bytes], 2 * filled)
    }
  } finally {
    await file.close()
  }
}
