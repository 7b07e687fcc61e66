import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { unpacked } from '../../host/unpack.ts'
import { dataOfDeb } from './ar.ts'
import type { CopyOptions } from './copy-files.ts'
import { readTar, type TarEntry } from './tar.ts'
import type { TreeWriter } from './tree-writer.ts'
import { UnpackBudget } from './unpack-budget.ts'

/**
 * Fills the tree from a tar archive or a Debian package, however it is compressed. Files that an earlier run
 * has written are skipped.
 */
export async function importArchive(
  file: string,
  kind: 'tar' | 'deb',
  writer: TreeWriter,
  { onProgress, signal, maxUnpackedBytes }: CopyOptions,
): Promise<void> {
  const { size: totalBytes } = await stat(file)
  const input = createReadStream(file, { highWaterMark: Math.min(1 << 20, totalBytes + 1) })
  const archive = kind === 'deb' ? dataOfDeb(input) : input
  const budget = new UnpackBudget(file, maxUnpackedBytes)
  let files = 0
  // Progress counts bytes of the archive: its size is known, the size of its content is not.
  const report = (path: string): void =>
    onProgress({ stage: 'reading', doneBytes: input.bytesRead, totalBytes, files, file: path })
  for await (const entry of readTar(unpacked(archive, file))) {
    signal?.throwIfAborted()
    // Entries that are left out count, too: their bytes must be unpacked to be skipped.
    budget.add(entry.path, entry.size)
    const path = withoutSlashes(entry.path)
    if (path === '' || path === '.') continue
    if (entry.kind === 'file') {
      await writeFile({ entry, path, writer, signal, onPiece: () => report(path) })
      files++
      report(path)
    } else await addFolderOrLink(entry, path, writer)
  }
}

interface ArchivedFile {
  readonly entry: TarEntry
  readonly path: string
  readonly writer: TreeWriter
  readonly signal: AbortSignal | undefined
  readonly onPiece: () => void
}

async function writeFile({ entry, path, writer, signal, onPiece }: ArchivedFile): Promise<void> {
  const facts = { path, size: entry.size, modifiedMs: entry.modifiedMs }
  if (await writer.has(facts)) return
  await writer.write(facts, (start) => fromByte(start, entry.body(), onPiece), signal)
}

/**
 * Adds a folder or a link. Other entries (devices, pipes) are left out: they are not part of a tree. A hard
 * link names its target as the archive names that file.
 */
async function addFolderOrLink({ kind, target }: TarEntry, path: string, writer: TreeWriter): Promise<void> {
  if (kind === 'folder') await writer.folder(path)
  else if (kind === 'symlink') writer.link({ path, target, hard: false })
  else if (kind === 'link') writer.link({ path, target: withoutStart(target), hard: true })
}

/** A name as tar(1) unpacks it: without `/` or `./` at its beginning, and without `/` at its end. */
function withoutSlashes(path: string): string {
  return withoutStart(path).replace(/\/+$/, '')
}

function withoutStart(path: string): string {
  return path.replace(/^(\.?\/)+/, '')
}

/** The bytes from `start` on. An archive can only be read from its start, so the bytes before are dropped. */
async function* fromByte(
  start: number,
  pieces: AsyncIterable<Uint8Array>,
  onPiece: () => void,
): AsyncGenerator<Uint8Array> {
  let left = start
  for await (const piece of pieces) {
    const skipped = Math.min(left, piece.length)
    left -= skipped
    if (skipped < piece.length) yield piece.subarray(skipped)
    onPiece()
  }
}
