import { Failure } from '../../core/failure.ts'
import { type IsoSource, isoSource } from '../../files/iso/source.ts'
import { type CleanPath, joinPath, rootPath } from '../../files/path.ts'
import type { Entry } from '../../files/source.ts'
import { self } from '../audit/walk.ts'
import type { BringInOptions } from './bring-in.ts'
import type { TreeWriter } from './tree-writer.ts'

export interface UnpackOptions extends BringInOptions {
  /** Take what is there of an image that is cut off. */
  readonly evenIfCut?: boolean
}

interface FileInside {
  /** Relative to the tree. */
  readonly path: string
  readonly entry: Entry
}

const pieceBytes = 1 << 20

/**
 * Fills the tree from inside a disc image, with nothing mounted: files with their times, folders, and symlinks as they
 * are written. Files come in the order in which they lie in the image, for an optical drive or a plain disk is slow at
 * going back and forth.
 *
 * @throws Failure of the image reader, naming the byte; `invalid-data` when the image is cut off.
 */
export async function unpackImage(
  image: string,
  writer: TreeWriter,
  { onProgress, signal, evenIfCut = false }: UnpackOptions,
): Promise<void> {
  const source = await isoSource(image)
  const { missingBytes } = source
  if (missingBytes > 0 && !evenIfCut)
    throw new Failure('invalid-data', `${image} is cut off: its last ${missingBytes} bytes are missing`)
  const files: FileInside[] = []
  await listImage(source, rootPath, writer, files)
  files.sort((a, b) => (a.entry.extent?.offset ?? 0) - (b.entry.extent?.offset ?? 0))
  const totalBytes = files.reduce((sum, { entry }) => sum + entry.size, 0)
  let doneBytes = 0
  for (const [at, { path, entry }] of files.entries()) {
    signal?.throwIfAborted()
    const tell = (bytes: number): void => {
      doneBytes += bytes
      onProgress({ stage: 'reading', doneBytes, totalBytes, files: at + 1, file: path })
    }
    const facts = { path, size: entry.size, modifiedMs: entry.modifiedMs }
    if (await writer.has(facts)) tell(entry.size)
    else await writer.write(facts, (start) => readFrom(entry, start, tell), signal)
  }
}

async function listImage(
  source: IsoSource,
  folder: CleanPath,
  writer: TreeWriter,
  files: FileInside[],
): Promise<void> {
  const links = (await source.links(folder)) ?? new Map<string, string>()
  for (const [name, target] of links) writer.link(joinPath(folder, name).slice(1), target, false)
  for (const entry of (await source.list(folder, self)) ?? []) {
    if (links.has(entry.name)) continue
    const path = joinPath(folder, entry.name)
    if (entry.kind === 'folder') {
      await writer.folder(path.slice(1))
      await listImage(source, path, writer, files)
    } else files.push({ path: path.slice(1), entry })
  }
}

async function* readFrom(
  entry: Entry,
  start: number,
  tell: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  if (start > 0) tell(start)
  const file = await entry.open()
  try {
    const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(file.size, pieceBytes)))
    for (let at = start; ; ) {
      const count = await file.read(buffer, 0, buffer.length, at)
      if (count === 0) return
      yield buffer.subarray(0, count)
      tell(count)
      at += count
    }
  } finally {
    await file.close()
  }
}
