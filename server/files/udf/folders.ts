import { LRUCache } from 'lru-cache'
import { Failure } from '../../core/failure.ts'
import { imageLimits } from '../../core/limits/images.ts'
import { lru } from '../../host/lru.ts'
import { nextTurn, Turns } from '../../host/turns.ts'
import { damaged, type Extent, type Image, isFaultOfImage, readExactly } from '../iso/image.ts'
import { fileNode, type IsoNode, isReachable, joinExtents } from '../iso/node.ts'
import type { Folders } from '../iso/walk.ts'
import { type DescriptorBudget, newDescriptorBudget, type Run, readRuns } from './allocation.ts'
import { type FileIdentifier, fileIdentifiers } from './directory.ts'
import { type FileEntry, fileTypes, readFileEntry, sizeAt, unsupported } from './file-entry.ts'
import { type BlockAddress, readAddress, readBlock } from './space.ts'
import { expectTag, tagIds } from './tag.ts'
import { decodePath } from './text.ts'
import { openVolume, type UdfVolume } from './volume.ts'

/** The number of names that are cached, or two larger folders. A folder that was dropped is read again. */
const keptNames = 65_536
/** The number of file entries and extents that are cached. */
const keptPieces = 65_536
/** Parts of an image that are read at once and kept a while, so that neighbouring blocks cost one read. */
const windowBytes = 64 * 1024
const keptWindows = 16

/** The position of the root directory ICB in a file set descriptor (ECMA-167 4/14.1). */
const rootIcbAt = 400

/** The types whose bytes are found together with the file entry. Those of a folder are found when it is listed. */
const typesWithBytes: readonly number[] = [
  fileTypes.unspecified,
  fileTypes.bytes,
  fileTypes.realTime,
  fileTypes.symlink,
]

/** What a file entry and its allocation descriptors say. All names of a file share it. */
interface Body {
  readonly entry: Pick<FileEntry, 'at' | 'type' | 'size' | 'modifiedMs'>
  readonly extents: readonly Extent[]
  readonly target?: string
}

/**
 * The folders of a UDF volume. A folder holds names, and a file entry elsewhere holds everything else. So a
 * lookup reads the folders on its path and one file entry.
 */
export class UdfFolders implements Folders {
  readonly volume: UdfVolume
  readonly #folders = new LRUCache<number, Promise<ReadonlyMap<string, FileIdentifier>>>({
    maxSize: keptNames,
  })
  readonly #bodies = new LRUCache<string, Promise<Body>>({ maxSize: keptPieces })
  #root: Promise<IsoNode> | undefined

  private constructor(volume: UdfVolume) {
    this.volume = volume
  }

  /** @throws Failure that names the byte and what was expected there. */
  static async open(image: Image): Promise<UdfFolders> {
    return new UdfFolders(await openVolume(windowed(image)))
  }

  root(): Promise<IsoNode> {
    this.#root ??= this.#readRoot()
    this.#root.catch(() => {
      this.#root = undefined
    })
    return this.#root
  }

  async child(folder: IsoNode, name: string): Promise<IsoNode | undefined> {
    const found = (await this.#folder(folder)).get(name)
    return found && this.#nodeOf(found, newDescriptorBudget())
  }

  async children(folder: IsoNode): Promise<readonly IsoNode[]> {
    const nodes: IsoNode[] = []
    // One for all files of the folder: a damaged image may name one long list of extents for each of them.
    const budget = newDescriptorBudget()
    const turns = new Turns()
    for (const found of (await this.#folder(folder)).values()) {
      if (turns.isDue()) await nextTurn()
      const node = await this.#nodeOf(found, budget).catch((error) => troubled(found, error))
      if (node) nodes.push(node)
    }
    return nodes
  }

  /** Reads the root folder of the first file set; discs have only one. */
  async #readRoot(): Promise<IsoNode> {
    const { volume } = this
    const { image, fileSet, fileSetNamedAt } = volume
    const what = 'a file set descriptor'
    const { bytes, at } = await readBlock(volume, fileSet, fileSetNamedAt, what)
    expectTag(image, { bytes, at }, { ids: [tagIds.fileSet], what, location: fileSet.block })
    const address = readAddress(bytes, rootIcbAt + 4)
    const namedAt = at + rootIcbAt
    const root = await this.#nodeOf({ at: namedAt, name: '', address }, newDescriptorBudget())
    if (root?.kind !== 'folder') throw damaged(image, namedAt, 'expected the file entry of the root folder')
    return root
  }

  /** Undefined for devices, pipes, sockets, streams and space tables: no installer asks for them. */
  async #nodeOf(
    found: Omit<FileIdentifier, 'isFolder'>,
    budget: DescriptorBudget,
  ): Promise<IsoNode | undefined> {
    const { name, address } = found
    const { entry, extents, target = '' } = await this.#body(found, budget)
    const { modifiedMs, at } = entry
    const { image, blockBytes } = this.volume
    switch (entry.type) {
      case fileTypes.folder:
        return {
          name,
          kind: 'folder',
          size: 0,
          modifiedMs,
          // Its file entry: it only tells this folder from others.
          extents: [{ offset: at, length: blockBytes }],
          icb: address,
        }
      case fileTypes.symlink:
        return {
          name,
          kind: 'symlink',
          size: target.length,
          modifiedMs,
          extents: [],
          target,
        }
      case fileTypes.unspecified:
      case fileTypes.bytes:
      case fileTypes.realTime:
        return fileNode(image, { name, modifiedMs, extents })
      default:
        return undefined
    }
  }

  #body({ at, address }: Omit<FileIdentifier, 'isFolder'>, budget: DescriptorBudget): Promise<Body> {
    const key = `${address.partition}:${address.block}`
    const cached = this.#bodies.get(key)
    if (cached) return cached
    return keep(this.#bodies, key, this.#readBody(address, at, budget), ({ extents }) => 1 + extents.length)
  }

  async #readBody(address: BlockAddress, namedAt: number, budget: DescriptorBudget): Promise<Body> {
    const { volume } = this
    const { image } = volume
    const entry = await readFileEntry(volume, address, namedAt)
    const { at, type, size, modifiedMs } = entry
    const runs = typesWithBytes.includes(type) ? await readRuns(volume, entry, budget) : []
    const body = { entry: { at, type, size, modifiedMs }, extents: joinExtents(written(image, runs)) }
    return type === fileTypes.symlink ? { ...body, target: await this.#target(body) } : body
  }

  async #target({ entry, extents }: Body): Promise<string> {
    const { image } = this.volume
    if (entry.size > imageLimits.imageLink.bytes)
      throw damaged(image, entry.at + sizeAt, `the file entry claims a symlink of ${entry.size} bytes`)
    const target = decodePath(await readPieces(image, extents, 'a symlink'))
    if (target === undefined)
      throw damaged(image, extents[0]?.offset ?? entry.at, 'expected the path components of a symlink')
    return target
  }

  #folder(node: IsoNode): Promise<ReadonlyMap<string, FileIdentifier>> {
    const [extent] = node.extents
    if (!node.icb || !extent) throw new Failure('internal', `${node.name} is not a folder of a UDF volume`)
    const { offset } = extent
    const cached = this.#folders.get(offset)
    if (cached) return cached
    return keep(this.#folders, offset, this.#readFolder(node.icb, offset), ({ size }) => 1 + size)
  }

  async #readFolder(address: BlockAddress, namedAt: number): Promise<ReadonlyMap<string, FileIdentifier>> {
    const { volume } = this
    const { image } = volume
    const { bytes: mostBytes, entries: mostNames } = imageLimits.imageFolder
    const entry = await readFileEntry(volume, address, namedAt)
    if (entry.size > mostBytes)
      throw damaged(image, entry.at + sizeAt, `the file entry claims a folder of ${entry.size} bytes`)
    const runs = written(image, await readRuns(volume, entry, newDescriptorBudget()))
    const bytes = await readPieces(image, runs, 'a folder (UDF)')
    const names = new Map<string, FileIdentifier>()
    const turns = new Turns()
    for (const found of fileIdentifiers(image, bytes, offsetsIn(runs))) {
      if (turns.isDue()) await nextTurn()
      if (names.size >= mostNames)
        throw damaged(image, entry.at, `the file entry is of a folder with more than ${mostNames} names`)
      if (isReachable(found.name) && !names.has(found.name)) names.set(found.name, found)
    }
    return names
  }
}

/**
 * Caches a value from the moment its reading begins, so that it is read once. Its size is set when the
 * reading has ended. It counts as half of the cache at most: a large folder and those above it are kept together.
 */
function keep<Key extends string | number, Value>(
  cache: LRUCache<Key, Promise<Value>>,
  key: Key,
  reading: Promise<Value>,
  size: (value: Value) => number,
): Promise<Value> {
  cache.set(key, reading, { size: 1 })
  reading.then(
    (value) => {
      // lru-cache does not change the size of a value that is set again.
      cache.delete(key)
      cache.set(key, reading, { size: Math.min(cache.maxSize / 2, size(value)) })
    },
    // A disk that failed once may succeed the next time.
    () => cache.delete(key),
  )
  return reading
}

/**
 * One damaged file must not hide its neighbours, so it is listed and carries its trouble. A damaged folder is
 * not listed; a request for it fails with the reason.
 */
function troubled({ name, isFolder }: FileIdentifier, error: unknown): IsoNode | undefined {
  if (!isFaultOfImage(error)) throw error
  if (isFolder) return undefined
  const { kind, message } = error
  return { name, kind: 'file', size: 0, modifiedMs: 0, extents: [], trouble: { kind, message } }
}

/**
 * The extents of a file without holes. A file with a hole is refused: an image may claim terabytes of zeros,
 * and no installation medium has such a file.
 */
function written(image: Image, runs: readonly Run[]): Extent[] {
  return runs.map(({ offset, length, namedAt }) => {
    if (offset === undefined) throw unsupported(image, namedAt, `a file has a hole of ${length} bytes`)
    return { offset, length }
  })
}

async function readPieces(image: Image, extents: readonly Extent[], what: string): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (const extent of joinExtents(extents)) pieces.push(await readExactly(image, extent, what))
  const [only] = pieces
  return only && pieces.length === 1 ? only : Buffer.concat(pieces)
}

/**
 * Returns a function that maps bytes of a file to the image. Its positions must not decrease from call to
 * call.
 */
function offsetsIn(extents: readonly Extent[]): (position: number) => number {
  let i = 0
  let start = 0
  return (position) => {
    let extent = extents[i]
    while (extent && position >= start + extent.length) {
      start += extent.length
      extent = extents[++i]
    }
    return (extent?.offset ?? 0) + position - start
  }
}

/**
 * The same image, read through windows that are kept a while. UDF has a block for each file entry, and
 * writers put these blocks side by side. So a listing of three thousand files takes a hundred reads and not
 * three thousand.
 */
function windowed(image: Image): Image {
  const windows = lru<number, Promise<Buffer>>(keptWindows)
  const windowAt = (start: number): Promise<Buffer> => {
    const cached = windows.get(start)
    if (cached) return cached
    const reading = image.readAt(start, Math.min(windowBytes, image.size - start))
    windows.set(start, reading)
    reading.catch(() => windows.delete(start))
    return reading
  }
  return {
    name: image.name,
    size: image.size,
    async readAt(position, length) {
      const start = position - (position % windowBytes)
      if (position + length > start + windowBytes) return image.readAt(position, length)
      return (await windowAt(start)).subarray(position - start, position - start + length)
    },
  }
}
