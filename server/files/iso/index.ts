import { LRUCache } from 'lru-cache'
import { Failure } from '../../core/failure.ts'
import type { CleanPath } from '../path.ts'
import { type DirectoryRecord, directoryRecords, jolietName, plainName } from './directory.ts'
import { damaged, type Extent, type Image, isInImage, readExactly } from './image.ts'
import { fileNode, type IsoNode } from './node.ts'
import { type RockRidge, readRockRidge, susp } from './rock-ridge.ts'
import { readVolumes, type Volume, type Volumes } from './volume.ts'

/** A directory of 100,000 files has some 16 MB; larger ones are not believed. */
const mostDirectoryBytes = 32 * 1024 * 1024
/** Directories kept, counted by their size in the image. What is dropped is read again. */
const keptDirectoryBytes = 16 * 1024 * 1024
/** Continuation areas of one directory together. */
const mostContinuationBytes = 16 * 1024 * 1024
/** As Linux does: a path that takes more has a loop. */
const mostLinks = 40
const mostDepth = 128

type Names = 'rock-ridge' | 'joliet' | 'plain'
type Folder = ReadonlyMap<string, IsoNode>

/** A folder to come and the ones above it, the root first. */
type Chain = readonly IsoNode[]

/**
 * The files of one image by path. Directories are read when they are first asked for and kept within a bound.
 * Rock Ridge names win over Joliet's, Joliet's over plain ones, as in Linux; a disc that has UDF besides ISO 9660
 * (a bridge disc) is read as ISO 9660.
 */
export class IsoIndex {
  readonly image: Image
  readonly volume: Volume
  readonly volumes: Volumes
  readonly names: Names
  readonly #skip: number
  readonly #root: IsoNode
  readonly #folders = new LRUCache<number, Promise<Folder>>({ maxSize: keptDirectoryBytes })

  private constructor(image: Image, volumes: Volumes, volume: Volume, names: Names, skip: number) {
    this.image = image
    this.volumes = volumes
    this.volume = volume
    this.names = names
    this.#skip = skip
    this.#root = folderNode('', volume.modifiedMs, volume.root)
  }

  /** @throws Failure that names the byte and what was expected there. */
  static async open(image: Image): Promise<IsoIndex> {
    const volumes = await readVolumes(image)
    const { primary, joliet } = volumes
    if (primary) {
      const shared = await sharedProtocol(image, primary)
      if (shared || !joliet)
        return new IsoIndex(image, volumes, primary, shared ? 'rock-ridge' : 'plain', shared?.skip ?? 0)
    }
    if (!joliet) throw new Failure('internal', `${image.name} has no volume`)
    return new IsoIndex(image, volumes, joliet, 'joliet', 0)
  }

  /**
   * What is at a path, symlinks followed inside the image; undefined when there is no such thing, or a link leads
   * out of the image or in circles.
   */
  async find(path: CleanPath): Promise<IsoNode | undefined> {
    return (await this.#walk([this.#root], split(path)))?.at(-1)
  }

  /** What a folder holds, symlinks replaced by what they lead to; undefined when it is no folder. */
  async list(path: CleanPath): Promise<readonly IsoNode[] | undefined> {
    const chain = await this.#walk([this.#root], split(path))
    const folder = chain?.at(-1)
    if (!chain || folder?.kind !== 'folder') return undefined
    const nodes: IsoNode[] = []
    for (const node of (await this.#folder(folder)).values()) {
      if (node.kind === 'symlink') {
        const behind = await this.#walk(chain, [node.name]).catch(damageIsNothing)
        const last = behind?.at(-1)
        if (last) nodes.push({ ...last, name: node.name })
      } else if (node.kind === 'file' || !isLoop(chain, node)) nodes.push(node)
    }
    return nodes
  }

  /** The symlinks of a folder, name to target as written, those that lead nowhere too; undefined when it is no folder. */
  async links(path: CleanPath): Promise<ReadonlyMap<string, string> | undefined> {
    const folder = (await this.#walk([this.#root], split(path)))?.at(-1)
    if (folder?.kind !== 'folder') return undefined
    const nodes = [...(await this.#folder(folder)).values()]
    return new Map(
      nodes.flatMap(({ name, target }) => (target === undefined ? [] : [[name, target] as const])),
    )
  }

  /** Follows names from a folder; gives it and all folders on the way. */
  async #walk(from: Chain, names: readonly string[]): Promise<Chain | undefined> {
    const chain = [...from]
    const left = [...names].reverse()
    let links = 0
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      if (name === '' || name === '.') continue
      const here = chain.at(-1)
      if (name === '..') {
        if (chain.length === 1) return undefined
        chain.pop()
        continue
      }
      if (here?.kind !== 'folder') return undefined
      const node = (await this.#folder(here)).get(name)
      if (!node) return undefined
      if (node.kind === 'symlink') {
        if (++links > mostLinks || !node.target || node.target.startsWith('/')) return undefined
        left.push(...node.target.split('/').reverse())
        continue
      }
      if (node.kind === 'folder' && isLoop(chain, node)) {
        const at = node.extents[0]?.offset ?? 0
        throw damaged(this.image, at, `the folder ${name} holds itself, or lies more than ${mostDepth} deep`)
      }
      chain.push(node)
    }
    return chain
  }

  #folder(node: IsoNode): Promise<Folder> {
    const extent = node.extents[0] ?? { offset: 0, length: 0 }
    const known = this.#folders.get(extent.offset)
    if (known) return known
    const reading = this.#readFolder(node.name || '/', extent)
    this.#folders.set(extent.offset, reading, { size: Math.max(1, extent.length) })
    // A disk that failed once may answer the next time.
    reading.catch(() => this.#folders.delete(extent.offset))
    return reading
  }

  async #readFolder(name: string, extent: Extent): Promise<Folder> {
    const { image } = this
    if (extent.length > mostDirectoryBytes)
      throw damaged(image, extent.offset, `the folder ${name} is said to have ${extent.length} bytes`)
    const bytes = await readExactly(image, extent, `the folder ${name}`)
    const nodes = new Map<string, IsoNode>()
    const readMore = this.#continuations()
    let pieces: DirectoryRecord[] = []
    for (const record of directoryRecords(image, bytes, extent.offset, this.volume.blockBytes)) {
      if (record.name.length === 1 && (record.name[0] ?? 2) < 2) continue
      const [first] = pieces
      // The next file begins although the last one had not ended: take what there is of that.
      if (first && !first.name.equals(record.name)) pieces = []
      pieces.push(record)
      if (record.continues && !record.isFolder) continue
      const node = await this.#nodeOf(pieces, readMore)
      pieces = []
      // A second file of the same name is an older version of it.
      if (node && isReachable(node.name) && !nodes.has(node.name)) nodes.set(node.name, node)
    }
    return nodes
  }

  /** The records of one file, or the record of one folder or symlink; undefined for what is not to be shown. */
  async #nodeOf(
    records: readonly DirectoryRecord[],
    readMore: (extent: Extent) => Promise<Buffer>,
  ): Promise<IsoNode | undefined> {
    const [record] = records
    if (!record || record.isAssociated) return undefined
    const { image, volume } = this
    if (this.names !== 'rock-ridge') {
      const name = this.names === 'joliet' ? jolietName(record.name) : plainName(record.name)
      if (record.isFolder) return folderNode(name, record.modifiedMs, record.extent)
      return fileNode(image, { ...record, name, extents: records.map(({ extent }) => extent) })
    }
    const fields = record.systemUse.subarray(this.#skip)
    const at = record.at + 33 + record.name.length
    const said = await readRockRidge(image, fields, at, volume.blockBytes, readMore)
    const name = said.name ?? plainName(record.name)
    const modifiedMs = said.modifiedMs ?? record.modifiedMs
    if (said.isRelocated || !isShown(said)) return undefined
    if (said.target !== undefined)
      return { name, kind: 'symlink', size: said.target.length, modifiedMs, extents: [], target: said.target }
    if (said.childBlock !== undefined) {
      const extent = await this.#relocated(said.childBlock * volume.blockBytes)
      return folderNode(name, modifiedMs, extent)
    }
    if (record.isFolder) return folderNode(name, modifiedMs, record.extent)
    const { isInterleaved } = record
    const extents = records.map(({ extent }) => extent)
    const zisofs = said.zisofsBytes === undefined ? {} : { zisofsBytes: said.zisofsBytes }
    return fileNode(image, { name, modifiedMs, extents, isInterleaved, ...zisofs })
  }

  /** How long a relocated folder is, its own first record tells. */
  async #relocated(offset: number): Promise<Extent> {
    const head = await readExactly(this.image, { offset, length: 34 }, 'a relocated folder')
    if ((head[0] ?? 0) < 34 || ((head[25] ?? 0) & 2) === 0 || head[32] !== 1 || head[33] !== 0)
      throw damaged(this.image, offset, 'expected a relocated folder (CL), beginning with its own record')
    return { offset, length: head.readUInt32LE(10) }
  }

  /** Reads continuation areas for one directory: blocks once, and no more than makes sense. */
  #continuations(): (extent: Extent) => Promise<Buffer> {
    const { image } = this
    const blocks = new LRUCache<number, Promise<Buffer>>({ max: 64 })
    let total = 0
    return async (extent) => {
      total += extent.length
      if (total > mostContinuationBytes)
        throw damaged(image, extent.offset, 'the continuation areas (CE) of one folder are too large')
      // SUSP 5.1 keeps an area within one block; one that is longer, or lies at the end, is read by itself.
      const start = extent.offset - (extent.offset % 2048)
      const block = { offset: start, length: 2048 }
      if (extent.offset + extent.length > start + 2048 || !isInImage(image, block))
        return readExactly(image, extent, 'a continuation area (CE)')
      let bytes = blocks.get(start)
      if (!bytes) {
        bytes = readExactly(image, block, 'a continuation area (CE)')
        blocks.set(start, bytes)
      }
      return (await bytes).subarray(extent.offset - start, extent.offset - start + extent.length)
    }
  }
}

/** SUSP's mark in the root's own record, if the disc has Rock Ridge. */
async function sharedProtocol(image: Image, volume: Volume): Promise<{ readonly skip: number } | undefined> {
  const extent = { offset: volume.root.offset, length: Math.min(volume.root.length, 2048) }
  // An image that is still being copied: whoever asks for the root will be told.
  if (!isInImage(image, extent)) return undefined
  const bytes = await readExactly(image, extent, 'the root folder')
  for (const record of directoryRecords(image, bytes, extent.offset, volume.blockBytes))
    return susp(record.systemUse)
  return undefined
}

function folderNode(name: string, modifiedMs: number, extent: Extent): IsoNode {
  return { name, kind: 'folder', size: 0, modifiedMs, extents: [extent] }
}

function isLoop(chain: Chain, node: IsoNode): boolean {
  const at = node.extents[0]?.offset
  return chain.length > mostDepth || chain.some(({ extents }) => extents[0]?.offset === at)
}

/** Devices, pipes and sockets are no files for anyone who installs. */
function isShown({ mode, target }: RockRidge): boolean {
  if (mode === undefined || target !== undefined) return true
  const type = mode & 0o170000
  return type === 0o100000 || type === 0o040000 || type === 0
}

/** No client can ask for these, and a listing must not tell them. */
function isReachable(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\x00-\x1f\x7f]/.test(name)
}

function damageIsNothing(error: unknown): undefined {
  if (error instanceof Failure && error.kind === 'invalid-data') return undefined
  throw error
}

function split(path: CleanPath): string[] {
  return path.split('/').filter((part) => part !== '')
}
