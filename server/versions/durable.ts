import { type FileHandle, open, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFolder } from '../host/atomic-write.ts'
import { forEachAtOnce } from '../host/pool.ts'

/** Functions that make published versions and their records survive a crash of the machine. */

/**
 * Adds lines to a file, durably. A last line that a crash or a full disk cut off gets its end first: otherwise
 * it would take the next line with it. One process at a time may do so (`exclusively`).
 */
export async function appendLines(file: string, lines: readonly string[]): Promise<void> {
  const handle = await open(file, 'a+', 0o644)
  try {
    const before = (await endsInside(handle)) ? '\n' : ''
    // Unlike `write`, it goes on after a short write.
    await handle.appendFile(`${before}${lines.map((line) => `${line}\n`).join('')}`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await syncFolder(dirname(file))
}

/** Whether the last line of a file has no end. */
async function endsInside(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat()
  if (size === 0) return false
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer.toString() !== '\n'
}

export interface TreeSize {
  readonly files: number
  readonly bytes: number
}

/** How many files are synced at once: the file system writes its journal once for all that wait for it. */
const syncedAtOnce = 16

/** Makes everything below a folder durable, folders last, and counts the files and bytes. */
export async function syncTree(folder: string): Promise<TreeSize> {
  let files = 0
  let bytes = 0
  const items = await readdir(folder, { withFileTypes: true })
  for (const item of items) {
    if (!item.isDirectory()) continue
    const inner = await syncTree(join(folder, item.name))
    files += inner.files
    bytes += inner.bytes
  }
  const ownFiles = items.filter((item) => item.isFile())
  await forEachAtOnce(ownFiles, syncedAtOnce, async ({ name }) => {
    const size = await syncFile(join(folder, name))
    files++
    bytes += size
  })
  await syncFolder(folder)
  return { files, bytes }
}

/** Makes the bytes of one file durable and returns its size. */
export async function syncFile(file: string): Promise<number> {
  const handle = await open(file, 'r')
  try {
    // `datasync` leaves out the times: they are not needed to read the bytes (fdatasync(2)).
    await handle.datasync()
    return (await handle.stat()).size
  } finally {
    await handle.close()
  }
}
