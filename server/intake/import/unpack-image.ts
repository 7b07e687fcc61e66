import { Failure } from '../../core/failure.ts'
import { internalRequester } from '../../core/net/requester.ts'
import { type IsoSource, isoSource } from '../../files/iso/source.ts'
import { type CleanPath, joinPath, rootPath } from '../../files/path.ts'
import type { Entry } from '../../files/source.ts'
import { type CopyOptions, copyFiles } from './copy-files.ts'
import type { FileFacts, TreeWriter } from './tree-writer.ts'
import { UnpackBudget } from './unpack-budget.ts'

export interface UnpackOptions extends CopyOptions {
  /** Unpack an image that is cut off, as far as it goes. */
  readonly evenIfCut?: boolean
}

interface FileInside extends FileFacts {
  readonly entry: Entry
}

const pieceBytes = 1 << 20

/**
 * Fills the tree with the content of a disc image, without mounting it: files with their times, folders, and
 * symlinks as they are written. Files are read in the order in which they lie in the image, since optical
 * drives and plain disks seek slowly.
 *
 * @throws Failure of the image reader that names the byte; `invalid-data` when the image is cut off.
 */
export async function unpackImage(
  image: string,
  writer: TreeWriter,
  { onProgress, signal, maxUnpackedBytes, evenIfCut = false }: UnpackOptions,
): Promise<void> {
  const source = await isoSource(image)
  const { missingBytes } = source
  if (missingBytes > 0 && !evenIfCut)
    throw new Failure('invalid-data', `${image} is cut off: its last ${missingBytes} bytes are missing`)
  const files = await listImage(source, writer, new UnpackBudget(image, maxUnpackedBytes))
  files.sort((a, b) => (a.entry.extent?.offset ?? 0) - (b.entry.extent?.offset ?? 0))
  const totalBytes = files.reduce((sum, { size }) => sum + size, 0)
  await writer.checkSpace(image, totalBytes)
  let doneBytes = 0
  let doneFiles = 0
  const copy = async (file: FileInside): Promise<void> => {
    const onBytes = (bytes: number): void => {
      doneBytes += bytes
      onProgress({ stage: 'reading', doneBytes, totalBytes, files: doneFiles + 1, file: file.path })
    }
    if (await writer.has(file)) onBytes(file.size)
    else await writer.write(file, (start) => readFrom(file.entry, start, onBytes), signal)
    doneFiles++
  }
  await copyFiles(files, copy, signal)
}

/** Makes the folders of an image in the tree, adds its links, and lists its files. */
async function listImage(source: IsoSource, writer: TreeWriter, budget: UnpackBudget): Promise<FileInside[]> {
  const files: FileInside[] = []
  /** The first path of each folder. The etag of a folder tells where in the image its names lie. */
  const seen = new Map<string, string>()
  const listFolder = async (folder: CleanPath, etag: string): Promise<void> => {
    const links = (await source.links(folder)) ?? new Map<string, string>()
    const entries = (await source.list(folder, internalRequester)) ?? []
    if (entries.length > 0) refuseSecond(seen, folder, etag)
    for (const [name, target] of links) {
      const path = joinPath(folder, name).slice(1)
      budget.add(path, 0)
      writer.link({ path, target, hard: false })
    }
    for (const entry of entries) {
      // `list` shows a symlink as what it leads to.
      if (links.has(entry.name)) continue
      const below = joinPath(folder, entry.name)
      const path = below.slice(1)
      budget.add(path, entry.size)
      if (entry.kind === 'folder') {
        await writer.folder(path)
        await listFolder(below, entry.etag)
      } else files.push({ path, size: entry.size, modifiedMs: entry.modifiedMs, entry })
    }
  }
  await listFolder(rootPath, '')
  return files
}

/**
 * Refuses an image that shows one folder at two paths. Twenty such folders, one in the other, are a million
 * paths.
 */
function refuseSecond(seen: Map<string, string>, folder: CleanPath, etag: string): void {
  const first = seen.get(etag)
  if (first !== undefined)
    throw new Failure(
      'invalid-data',
      `${first} and ${folder} are one folder in the image, so it cannot be unpacked; publish it as an image`,
    )
  seen.set(etag, folder)
}

async function* readFrom(
  entry: Entry,
  start: number,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  if (start > 0) onBytes(start)
  const file = await entry.open()
  try {
    const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(file.size, pieceBytes)))
    for (let at = start; ; ) {
      const count = await file.read(buffer, 0, buffer.length, at)
      if (count === 0) return
      yield buffer.subarray(0, count)
      onBytes(count)
      at += count
    }
  } finally {
    await file.close()
  }
}
