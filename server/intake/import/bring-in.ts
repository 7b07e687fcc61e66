import { createReadStream } from 'node:fs'
import { lstat, open, readdir, readlink, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { unpacked } from '../../host/unpack.ts'
import { dataOfDeb } from './ar.ts'
import { bringAll } from './bring-all.ts'
import type { OnProgress } from './progress.ts'
import { readTar } from './tar.ts'
import type { BytesFrom, FileFacts, TreeWriter } from './tree-writer.ts'

export interface BringInOptions {
  readonly onProgress: OnProgress
  readonly signal?: AbortSignal
  /** Make files of this machine the very same files, where their file system can. */
  readonly hardLink?: boolean
}

/** Fills the tree from a tar archive or a Debian package, packed in any way. What an earlier run wrote is passed over. */
export async function bringInArchive(
  file: string,
  kind: 'tar' | 'deb',
  writer: TreeWriter,
  options: BringInOptions,
): Promise<void> {
  const { size } = await stat(file)
  const input = createReadStream(file, { highWaterMark: 1 << 20 })
  let files = 0
  // How much of the archive was read: its size is known, and that of what is in it is not.
  const tell = (path: string): void =>
    options.onProgress({ stage: 'reading', doneBytes: input.bytesRead, totalBytes: size, files, file: path })
  const read = kind === 'deb' ? dataOfDeb(input) : input
  for await (const entry of readTar(unpacked(read, file))) {
    options.signal?.throwIfAborted()
    const path = entry.path.replace(/^(\.?\/)+/, '').replace(/\/+$/, '')
    if (path === '' || path === '.') continue
    const facts = { path, size: entry.size, modifiedMs: entry.modifiedMs }
    if (entry.kind === 'folder') await writer.folder(path)
    else if (entry.kind === 'symlink') writer.link(path, entry.target, false)
    else if (entry.kind === 'link') writer.link(path, entry.target.replace(/^(\.?\/)+/, ''), true)
    else if (entry.kind === 'file') {
      const bytesFrom = (start: number) => without(start, entry.body(), () => tell(path))
      if (!(await writer.has(facts))) await writer.write(facts, bytesFrom, options.signal)
      files++
      tell(path)
    }
  }
}

/** An image stays what it is: its files are served from inside. */
export async function bringInImage(path: string, writer: TreeWriter, options: BringInOptions): Promise<void> {
  const { size: totalBytes, mtimeMs } = await stat(path)
  const facts = { path: 'image.iso', size: totalBytes, modifiedMs: mtimeMs }
  if ((await writer.has(facts)) || (await writer.share(facts, path, options.hardLink ?? false))) return
  let doneBytes = 0
  const tell = (bytes: number) => {
    doneBytes += bytes
    options.onProgress({ stage: 'reading', doneBytes, totalBytes })
  }
  await writer.write(facts, countedFrom(path, tell), options.signal)
}

/** Fills the tree from a folder of this machine. */
export async function bringInFolder(
  folder: string,
  writer: TreeWriter,
  options: BringInOptions,
): Promise<void> {
  const files: FileHere[] = []
  await listFolder(folder, '', writer, files)
  const totalBytes = files.reduce((sum, { size }) => sum + size, 0)
  let doneBytes = 0
  let done = 0
  const bring = async (facts: FileHere): Promise<void> => {
    const { path, size, mode } = facts
    const from = join(folder, path)
    const tell = (bytes: number) => {
      doneBytes += bytes
      options.onProgress({ stage: 'reading', doneBytes, totalBytes, files: done + 1, file: path })
    }
    // A copy has the mode of its original; here everybody may read.
    const canShare = (mode & 0o444) === 0o444
    const hardLink = options.hardLink ?? false
    if ((await writer.has(facts)) || ((canShare || hardLink) && (await writer.share(facts, from, hardLink))))
      tell(size)
    else await writer.write(facts, countedFrom(from, tell), options.signal)
    done++
  }
  await bringAll(files, bring, options.signal)
}

interface FileHere extends FileFacts {
  readonly mode: number
}

const pieceBytes = 1 << 20

async function listFolder(folder: string, at: string, writer: TreeWriter, files: FileHere[]): Promise<void> {
  for (const name of (await readdir(join(folder, at))).sort()) {
    const path = at === '' ? name : `${at}/${name}`
    const place = join(folder, path)
    const stats = await lstat(place)
    if (stats.isDirectory()) {
      await writer.folder(path)
      await listFolder(folder, path, writer, files)
    } else if (stats.isFile())
      files.push({ path, size: stats.size, modifiedMs: stats.mtimeMs, mode: stats.mode })
    else if (stats.isSymbolicLink()) writer.link(path, await readlink(place), false)
    else writer.notes.push(`${path} is left out: it is neither file, folder nor link`)
  }
}

/** A file of this machine, its bytes told as they are written; those that a stopped run wrote at once. */
function countedFrom(file: string, tell: (bytes: number) => void): BytesFrom {
  return async function* (start) {
    if (start > 0) tell(start)
    const handle = await open(file, 'r')
    try {
      const { size } = await handle.stat()
      // One byte more than there is: a reading that does not fill it was the last.
      const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, Math.max(0, size - start) + 1))
      for (let at = start; ; ) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
        if (bytesRead > 0) yield buffer.subarray(0, bytesRead)
        tell(bytesRead)
        at += bytesRead
        if (bytesRead < buffer.length) return
      }
    } finally {
      await handle.close()
    }
  }
}

/** All but the first bytes of a stream that cannot be entered in the middle; `tell` is called for each piece. */
async function* without(
  bytes: number,
  pieces: AsyncIterable<Uint8Array>,
  tell: () => void,
): AsyncGenerator<Uint8Array> {
  let left = bytes
  for await (const piece of pieces) {
    const passed = Math.min(left, piece.length)
    left -= passed
    if (passed < piece.length) yield piece.subarray(passed)
    tell()
  }
}
