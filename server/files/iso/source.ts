import { type BigIntStats, stat } from 'node:fs'
import { basename } from 'node:path'
import type { LRUCache } from 'lru-cache'
import { Failure } from '../../core/failure.ts'
import type { VolumeIds } from '../../core/tree/volume-ids.ts'
import { lru } from '../../host/lru.ts'
import { etagOf, openSame } from '../disk.ts'
import { byName, folderEntry } from '../entry.ts'
import { baseName, type CleanPath } from '../path.ts'
import type { Entry, FileSource, OpenFile } from '../source.ts'
import { type Disc, openDisc } from './disc.ts'
import type { Extent, Image } from './image.ts'
import type { IsoNode } from './node.ts'
import { isSignature, signatureAt } from './volume.ts'

/** An opened image, and the etag of the file at that time. */
interface Opened {
  readonly etag: string
  readonly disc: Disc
  readonly entries: LRUCache<CleanPath, Entry>
}

export interface IsoSource extends FileSource {
  /**
   * How many bytes the file was shorter, at the last lookup, than the image says: it is still being copied, or
   * was cut. 0 when the image is complete.
   */
  readonly missingBytes: number
  /** What the volume descriptor said of the disc at the last lookup; undefined on a disc without ISO 9660. */
  readonly volume: VolumeIds | undefined
  /** The symlinks of a folder, name to target as written. `list` and `stat` show their targets instead. */
  links(path: CleanPath): Promise<ReadonlyMap<string, string> | undefined>
}

/** The number of paths of one image whose entry is kept. */
const rememberedEntries = 4096
/** Up to this many missing bytes are only padding: some writers count it, some copying programs drop it. */
const paddingBytes = 512 * 1024

/**
 * Serves the files inside an image of a disc (ISO 9660, UDF). The image is neither mounted nor unpacked. A
 * file in one run has an `extent` in the image, so it is sent like a file of its own. A file in several runs
 * is read through `open`.
 *
 * Every lookup asks the disk whether the image is still the same. When another image has replaced it, the
 * new image is read, and entries of the old one no longer open. No descriptor is held between requests.
 *
 * @param file Path of the image, without symlinks.
 * @throws Failure `not-found`, `unsupported`, or `invalid-data`, which names the byte and what was expected
 *   there.
 */
export async function isoSource(file: string): Promise<IsoSource> {
  let opened = await openImage(file, await statsOf(file))
  let opening: { readonly etag: string; readonly result: Promise<Opened> } | undefined

  const current = async (): Promise<Opened> => {
    const stats = await statsOf(file)
    const etag = etagOf(stats)
    if (opened.etag === etag) return opened
    if (opening?.etag !== etag) {
      const result = openImage(file, stats)
      opening = { etag, result }
      // What failed once (too many open files) may succeed the next time.
      result.catch(() => {
        if (opening?.result === result) opening = undefined
      })
    }
    opened = await opening.result
    return opened
  }

  return {
    get missingBytes() {
      const { image, bytes } = opened.disc
      const missing = bytes - image.size
      return missing > paddingBytes ? missing : 0
    },
    get volume() {
      return opened.disc.ids
    },
    async stat(path) {
      const { disc, entries, etag } = await current()
      const cached = entries.get(path)
      if (cached) return cached
      const node = await disc.find(path)
      if (!node) return undefined
      if (node.trouble) throw new Failure(node.trouble.kind, node.trouble.message)
      const entry = entryOf(file, etag, baseName(path), node)
      entries.set(path, entry)
      return entry
    },
    async links(path) {
      const { disc } = await current()
      return disc.links(path)
    },
    async list(path) {
      const { disc, etag } = await current()
      const nodes = await disc.list(path)
      return nodes?.map((node) => entryOf(file, etag, node.name, node)).sort(byName)
    },
  }
}

/** Whether a file begins like an image of a disc, under any name. False also when it cannot be read. */
export async function looksLikeIso(file: string): Promise<boolean> {
  try {
    const stats = await statsOf(file)
    if (!stats.isFile()) return false
    return isSignature(await readFrom(file, etagOf(stats))(signatureAt, 5))
  } catch {
    return false
  }
}

async function openImage(file: string, stats: BigIntStats): Promise<Opened> {
  if (!stats.isFile())
    throw new Failure('invalid-data', `${file} is not a regular file, and cannot be an image`)
  const etag = etagOf(stats)
  const image: Image = { name: basename(file), size: Number(stats.size), readAt: readFrom(file, etag) }
  return { etag, disc: await openDisc(image), entries: lru(rememberedEntries) }
}

/**
 * Opens the image for each read. That is seldom, because directories are read once; and an open descriptor
 * would keep a deleted image on the disk.
 */
function readFrom(file: string, etag: string): Image['readAt'] {
  return async (position, length) => {
    const opened = await openSame(file, etag)
    try {
      const bytes = Buffer.alloc(Math.max(0, Math.min(length, opened.size - position)))
      let done = 0
      while (done < bytes.length) {
        const count = await opened.read(bytes, done, bytes.length - done, position + done)
        if (count === 0) break
        done += count
      }
      return bytes.subarray(0, done)
    } finally {
      await opened.close()
    }
  }
}

function entryOf(file: string, imageEtag: string, name: string, node: IsoNode): Entry {
  const [first] = node.extents
  // It begins with the etag of the image: by that, the threads that compute digests know a replaced image.
  const etag = `${imageEtag}-${(first?.offset ?? 0).toString(36)}-${node.size.toString(36)}`
  const { trouble, extents, size, modifiedMs, target } = node
  if (node.kind === 'folder')
    return { ...folderEntry(name, modifiedMs, etag), ...(target !== undefined && { target }) }
  const open = trouble
    ? () => Promise.reject(new Failure(trouble.kind, trouble.message))
    : async () => openExtents(await openSame(file, imageEtag), extents, size)
  return {
    name,
    kind: 'file',
    size,
    modifiedMs,
    etag,
    ...(!trouble && first && extents.length === 1 && { extent: { file, offset: first.offset } }),
    ...(target !== undefined && { target }),
    open,
  }
}

/** Joins the runs of a file into one open file. Bytes outside the runs are never read. */
function openExtents(image: OpenFile, extents: readonly Extent[], size: number): OpenFile {
  const starts: number[] = []
  let total = 0
  for (const { length } of extents) {
    starts.push(total)
    total += length
  }
  return {
    size,
    async read(target, offset, length, position) {
      let done = 0
      for (let at = runAt(starts, position); done < length; at++) {
        const extent = extents[at]
        const within = position + done - (starts[at] ?? 0)
        if (!extent || within >= extent.length) break
        const wanted = Math.min(length - done, extent.length - within)
        const count = await image.read(target, offset + done, wanted, extent.offset + within)
        done += count
        if (count < wanted) break
      }
      return done
    },
    close: () => image.close(),
  }
}

/** The index of the last run that begins at a position or before it. */
function runAt(starts: readonly number[], position: number): number {
  let low = 0
  let high = starts.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((starts[middle] ?? 0) <= position) low = middle
    else high = middle
  }
  return low
}

function statsOf(file: string): Promise<BigIntStats> {
  return new Promise((resolve, reject) => {
    stat(file, { bigint: true }, (error, stats) => (error ? reject(error) : resolve(stats)))
  })
}
