import { constants } from 'node:fs'
import { lstat, open, readdir, readlink, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type CopyOptions, copyFiles } from './copy-files.ts'
import type { BytesFrom } from './resumable-file.ts'
import type { FileFacts, TreeWriter } from './tree-writer.ts'

/** Copies a disc image into the tree as one file, `image.iso`: services read the files inside it. */
export async function importImage(path: string, writer: TreeWriter, options: CopyOptions): Promise<void> {
  const { size: totalBytes, mtimeMs } = await stat(path)
  const facts = { path: 'image.iso', size: totalBytes, modifiedMs: mtimeMs }
  if ((await writer.has(facts)) || (await writer.share(facts, path, options.hardLink ?? false))) return
  let doneBytes = 0
  const onBytes = (bytes: number) => {
    doneBytes += bytes
    options.onProgress({ stage: 'reading', doneBytes, totalBytes })
  }
  await writer.write(facts, localFile(path, onBytes), options.signal)
}

/** Fills the tree from a folder of this machine. */
export async function importFolder(folder: string, writer: TreeWriter, options: CopyOptions): Promise<void> {
  const { onProgress, signal, hardLink = false } = options
  const files: FileFacts[] = []
  await listFolder(folder, '', writer, files)
  const totalBytes = files.reduce((sum, { size }) => sum + size, 0)
  let doneBytes = 0
  let doneFiles = 0
  const copy = async (file: FileFacts): Promise<void> => {
    const from = join(folder, file.path)
    const onBytes = (bytes: number) => {
      doneBytes += bytes
      onProgress({ stage: 'reading', doneBytes, totalBytes, files: doneFiles + 1, file: file.path })
    }
    if ((await writer.has(file)) || (await writer.share(file, from, hardLink))) onBytes(file.size)
    else await writer.write(file, localFile(from, onBytes), signal)
    doneFiles++
  }
  await copyFiles(files, copy, signal)
}

async function listFolder(
  folder: string,
  below: string,
  writer: TreeWriter,
  files: FileFacts[],
): Promise<void> {
  for (const name of (await readdir(join(folder, below))).sort()) {
    const path = below === '' ? name : `${below}/${name}`
    const stats = await lstat(join(folder, path))
    if (stats.isDirectory()) {
      await writer.folder(path)
      await listFolder(folder, path, writer, files)
    } else if (stats.isFile()) files.push({ path, size: stats.size, modifiedMs: stats.mtimeMs })
    else if (stats.isSymbolicLink())
      writer.link({ path, target: await readlink(join(folder, path)), hard: false })
    else writer.notes.push(`${path} is left out: it is not a file, a folder or a link`)
  }
}

const pieceBytes = 1 << 20

/**
 * Reads a file of this machine. `onBytes` is called as bytes are read, and at once for those that are
 * skipped.
 */
function localFile(file: string, onBytes: (bytes: number) => void): BytesFrom {
  return async function* (start) {
    if (start > 0) onBytes(start)
    // A symlink in its place was put there after the folder was listed.
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      const { size } = await handle.stat()
      // The buffer has room for one byte more than is left: a read that does not fill it is the last.
      const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, Math.max(0, size - start) + 1))
      for (let at = start; ; ) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
        if (bytesRead > 0) yield buffer.subarray(0, bytesRead)
        onBytes(bytesRead)
        at += bytesRead
        if (bytesRead < buffer.length) return
      }
    } finally {
      await handle.close()
    }
  }
}
