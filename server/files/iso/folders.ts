import { LRUCache } from 'lru-cache'
import { defined } from '../../core/defined.ts'
import { imageLimits } from '../../core/limits/images.ts'
import { lru } from '../../host/lru.ts'
import { nextTurn, Turns } from '../../host/turns.ts'
import {
  type DirectoryRecord,
  directoryRecords,
  jolietName,
  plainName,
  recordField,
  recordFlags,
  smallestRecord,
} from './directory.ts'
import { damaged, type Extent, type Image, isInImage, readExactly, sectorBytes } from './image.ts'
import { fileNode, type IsoNode, isReachable } from './node.ts'
import { type RockRidge, type RockRidgeContext, readRockRidge, readSp } from './rock-ridge.ts'
import type { Volume, Volumes } from './volume.ts'
import type { Folders } from './walk.ts'

/**
 * The size of the directory cache, counted by bytes in the image, or two larger directories. A directory that was
 * dropped is read again.
 */
const keptDirectoryBytes = 16 * 1024 * 1024

/** Where the names of an ISO 9660 disc are read from. */
export type Names = 'rock-ridge' | 'joliet' | 'plain'
type Folder = ReadonlyMap<string, IsoNode>

/**
 * The folders of an ISO 9660 volume. A directory is read when it is first needed, and a bounded number is
 * cached. As in Linux, names are taken from Rock Ridge first, then from Joliet, then plain.
 */
export class IsoFolders implements Folders {
  readonly image: Image
  readonly volume: Volume
  readonly names: Names
  readonly #skipBytes: number
  readonly #root: IsoNode
  readonly #folders = new LRUCache<number, Promise<Folder>>({ maxSize: keptDirectoryBytes })

  private constructor(image: Image, volume: Volume, names: Names, skip: number) {
    this.image = image
    this.volume = volume
    this.names = names
    this.#skipBytes = skip
    this.#root = folderNode('', volume.modifiedMs, volume.root)
  }

  /**
   * Resolves to undefined when the image has no volume of ISO 9660.
   *
   * @throws Failure that names the byte and what was expected there.
   */
  static async open(image: Image, { primary, joliet }: Volumes): Promise<IsoFolders | undefined> {
    if (primary) {
      const shared = await sharedProtocol(image, primary)
      if (shared || !joliet)
        return new IsoFolders(image, primary, shared ? 'rock-ridge' : 'plain', shared?.skip ?? 0)
    }
    return joliet && new IsoFolders(image, joliet, 'joliet', 0)
  }

  root(): Promise<IsoNode> {
    return Promise.resolve(this.#root)
  }

  async child(folder: IsoNode, name: string): Promise<IsoNode | undefined> {
    return (await this.#folder(folder)).get(name)
  }

  async children(folder: IsoNode): Promise<readonly IsoNode[]> {
    return [...(await this.#folder(folder)).values()]
  }

  #folder(node: IsoNode): Promise<Folder> {
    const extent = node.extents[0] ?? { offset: 0, length: 0 }
    const cached = this.#folders.get(extent.offset)
    if (cached) return cached
    const reading = this.#readFolder(node.name || '/', extent)
    // lru-cache refuses a size of 0. A very large folder counts as half of the cache: those above it are kept, too.
    const size = Math.min(Math.max(1, extent.length), this.#folders.maxSize / 2)
    this.#folders.set(extent.offset, reading, { size })
    // A disk that failed once may succeed the next time.
    reading.catch(() => this.#folders.delete(extent.offset))
    return reading
  }

  async #readFolder(name: string, extent: Extent): Promise<Folder> {
    const { image } = this
    const bytes = await this.#folderBytes(name, extent)
    const nodes = new Map<string, IsoNode>()
    const context = { image, blockBytes: this.volume.blockBytes, readMore: this.#continuations() }
    let pieces: DirectoryRecord[] = []
    const turns = new Turns()
    for (const record of this.#records(name, extent, bytes)) {
      if (turns.isDue()) await nextTurn()
      const [first] = pieces
      // A new file begins although the last record of the previous file is missing. Its pieces are dropped.
      if (first && !first.name.equals(record.name)) pieces = []
      pieces.push(record)
      // A folder has only one piece.
      if (record.continues && !record.isFolder) continue
      const node = await this.#nodeOf(pieces, context)
      pieces = []
      // A second file of the same name is an older version of it.
      if (node && isReachable(node.name) && !nodes.has(node.name)) nodes.set(node.name, node)
    }
    return nodes
  }

  async #folderBytes(name: string, extent: Extent): Promise<Buffer> {
    const { bytes } = imageLimits.imageFolder
    if (extent.length > bytes)
      throw damaged(
        this.image,
        extent.offset,
        `the folder ${name} has ${extent.length} bytes, expected at most ${bytes}`,
      )
    return readExactly(this.image, extent, `the folder ${name}`)
  }

  *#records(name: string, { offset }: Extent, bytes: Buffer): Generator<DirectoryRecord> {
    const { entries } = imageLimits.imageFolder
    let count = 0
    for (const record of directoryRecords(this.image, bytes, offset, this.volume.blockBytes)) {
      if (++count > entries)
        throw damaged(this.image, offset, `the folder ${name} has more than ${entries} directory records`)
      // The names 0 and 1 are the folder itself and its parent.
      if (record.name.length > 1 || (record.name[0] ?? 2) > 1) yield record
    }
  }

  /**
   * Makes a node from all records of one file, or from the record of one folder or symlink. Undefined when
   * the node is not listed.
   */
  async #nodeOf(
    records: readonly DirectoryRecord[],
    context: RockRidgeContext,
  ): Promise<IsoNode | undefined> {
    const [record] = records
    if (!record || record.isAssociated) return undefined
    const { image, volume } = this
    const { isInterleaved } = record
    const extents = records.map(({ extent }) => extent)
    if (this.names !== 'rock-ridge') {
      const name = this.names === 'joliet' ? jolietName(record.name) : plainName(record.name)
      const { modifiedMs } = record
      if (record.isFolder) return folderNode(name, modifiedMs, record.extent)
      return fileNode(image, { name, modifiedMs, extents, isInterleaved })
    }
    const fields = record.systemUse.subarray(this.#skipBytes)
    const rockRidge = await readRockRidge(context, fields, record.systemUseAt + this.#skipBytes)
    const name = rockRidge.name ?? plainName(record.name)
    const modifiedMs = rockRidge.modifiedMs ?? record.modifiedMs
    if (rockRidge.isRelocated || !isShown(rockRidge)) return undefined
    if (rockRidge.target !== undefined)
      return {
        name,
        kind: 'symlink',
        size: rockRidge.target.length,
        modifiedMs,
        extents: [],
        target: rockRidge.target,
      }
    if (rockRidge.childBlock !== undefined) {
      const extent = await this.#relocated(rockRidge.childBlock * volume.blockBytes)
      return folderNode(name, modifiedMs, extent)
    }
    if (record.isFolder) return folderNode(name, modifiedMs, record.extent)
    const { zisofsBytes } = rockRidge
    return fileNode(image, { name, modifiedMs, extents, isInterleaved, ...defined({ zisofsBytes }) })
  }

  /** Reads the length of a relocated folder from its first record. */
  async #relocated(offset: number): Promise<Extent> {
    const head = await readExactly(this.image, { offset, length: smallestRecord }, 'a relocated folder')
    const isFolder = ((head[recordField.flags] ?? 0) & recordFlags.folder) !== 0
    const isSelf = head[recordField.nameLength] === 1 && head[recordField.name] === 0
    if ((head[0] ?? 0) < smallestRecord || !isFolder || !isSelf)
      throw damaged(this.image, offset, 'expected a relocated folder (CL), beginning with its own record')
    return { offset, length: head.readUInt32LE(recordField.dataBytes) }
  }

  /**
   * Makes the reader of continuation areas for one directory. It caches the sectors that it reads, and refuses
   * too many bytes.
   */
  #continuations(): (extent: Extent) => Promise<Buffer> {
    const { image } = this
    const sectors = lru<number, Promise<Buffer>>(64)
    let total = 0
    let areas = 0
    const { bytes: mostBytes, entries: mostAreas } = imageLimits.continuations
    return async (extent) => {
      total += extent.length
      if (total > mostBytes || ++areas > mostAreas)
        throw damaged(
          image,
          extent.offset,
          'the continuation areas (CE) of one folder are too large, or too many',
        )
      // By SUSP 5.1 an area lies within one block, and so within one sector. A longer one, or one at the end
      // of the image, is read by itself.
      const start = extent.offset - (extent.offset % sectorBytes)
      const sector = { offset: start, length: sectorBytes }
      if (extent.offset + extent.length > start + sectorBytes || !isInImage(image, sector))
        return readExactly(image, extent, 'a continuation area (CE)')
      let bytes = sectors.get(start)
      if (!bytes) {
        bytes = readExactly(image, sector, 'a continuation area (CE)')
        sectors.set(start, bytes)
      }
      return (await bytes).subarray(extent.offset - start, extent.offset - start + extent.length)
    }
  }
}

/** Finds the SP field of SUSP in the root's own record; undefined when the disc has no Rock Ridge. */
async function sharedProtocol(image: Image, volume: Volume): Promise<{ readonly skip: number } | undefined> {
  const extent = { offset: volume.root.offset, length: Math.min(volume.root.length, sectorBytes) }
  // The image is still being copied. Later a request for the root fails with the reason.
  if (!isInImage(image, extent)) return undefined
  const bytes = await readExactly(image, extent, 'the root folder')
  // The root's own record is the first one.
  for (const record of directoryRecords(image, bytes, extent.offset, volume.blockBytes))
    return readSp(record.systemUse)
  return undefined
}

function folderNode(name: string, modifiedMs: number, extent: Extent): IsoNode {
  return { name, kind: 'folder', size: 0, modifiedMs, extents: [extent] }
}

/** Whether a node is listed. Devices, pipes and sockets are not: no installer asks for them. */
function isShown({ mode = 0, target }: RockRidge): boolean {
  if (target !== undefined) return true
  const type = mode & 0o170000
  // Type 0 names none: the directory record says whether it is a folder.
  return type === 0o100000 || type === 0o040000 || type === 0
}
