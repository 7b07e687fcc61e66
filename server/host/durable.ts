import { constants } from 'node:fs'
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Writing so that a crash of the machine leaves the old or the new, never half of one. */

/** Writes a small file aside, syncs it and renames it into place. */
export async function writeDurably(file: string, text: string, mode = 0o644): Promise<void> {
  const aside = `${file}.${process.pid}.tmp`
  const handle = await open(aside, 'w', mode)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } catch (error) {
    await rm(aside, { force: true })
    throw error
  } finally {
    await handle.close()
  }
  await rename(aside, file)
  await syncFolder(dirname(file))
}

/** Adds a line to a file in one write, so that two processes never mix theirs. */
export async function appendDurably(file: string, line: string): Promise<void> {
  const handle = await open(file, 'a', 0o644)
  try {
    await handle.write(`${line}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes the names in a folder durable. Some file systems (FUSE, SMB) refuse to sync folders; they do what they can. */
export async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined
  try {
    handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY)
    await handle.sync()
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'EINVAL' && code !== 'ENOTSUP' && code !== 'EPERM' && code !== 'EISDIR') throw error
  } finally {
    await handle?.close()
  }
}

export interface TreeSize {
  readonly files: number
  readonly bytes: number
}

/** Many small files reach the disk together: the file system writes its journal once for all that wait for it. */
const syncedAtOnce = 16

/** Makes everything below a folder durable, folders last, and counts it. */
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
  const left = items.values()
  const worker = async (): Promise<void> => {
    for (const item of left) {
      if (!item.isFile()) continue
      const size = await syncFile(join(folder, item.name))
      files++
      bytes += size
    }
  }
  await Promise.all(Array.from({ length: syncedAtOnce }, worker))
  await syncFolder(folder)
  return { files, bytes }
}

/** Syncs one file and tells its size. */
export async function syncFile(file: string): Promise<number> {
  const handle = await open(file, 'r')
  try {
    await handle.datasync()
    return (await handle.stat()).size
  } finally {
    await handle.close()
  }
}
