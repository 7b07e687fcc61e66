import { defined } from '../../core/defined.ts'
import { isTellingFolder, mayBeKernel } from '../../core/distro/layouts.ts'
import { neededFile } from '../../core/distro/needed-files.ts'
import { Failure, failureMessage } from '../../core/failure.ts'
import { isPackageFolder } from '../../core/kickstart/packages.ts'
import { treeLimits } from '../../core/limits/trees.ts'
import { internalRequester } from '../../core/net/requester.ts'
import {
  concludeTree,
  imagesOf,
  isComplete,
  readDescriptors,
  type TreeEvidence,
} from '../../core/tree/conclude.ts'
import { descriptorFormats, doubtfulNames, tellingNames } from '../../core/tree/descriptors/formats.ts'
import type { Description, NeededFile, TreeProblem } from '../../core/tree/tree.ts'
import type { VolumeIds } from '../../core/tree/volume-ids.ts'
import { type CleanPath, joinPath, rootPath } from '../../files/path.ts'
import { readWhole } from '../../files/read-whole.ts'
import type { Entry, FileSource } from '../../files/source.ts'
import { archsOfKernel } from './kernel-heads.ts'

/** How many folders are listed for one tree without a complete descriptor. */
const maxFolders = treeLimits.treeFolders.entries
/** Levels of folders, the tree's own included: `current/images/netboot/debian-installer/amd64` of Debian. */
const maxDepth = treeLimits.treeFolders.depth

/** Whether a folder may be a tree, judged by the names in it, before any file is opened. */
export type FolderVerdict = 'descriptor' | 'maybe' | 'no'

/**
 * Judges by its names whether a folder is worth `gatherEvidence`: `descriptor` when it has a descriptor,
 * `maybe` when it has names that occur in trees (`images/`, `casper/`, `isolinux/`, a kernel, ...), else
 * `no`.
 */
export function judgeFolder(names: Iterable<string>): FolderVerdict {
  let verdict: FolderVerdict = 'no'
  for (const name of names) {
    if (tellingNames.has(name)) return 'descriptor'
    if (doubtfulNames.has(name) || isTellingFolder(name) || mayBeKernel(name)) verdict = 'maybe'
  }
  return verdict
}

/** The files of a tree, or of what holds trees. A disc image also has what its volume descriptor says. */
export interface TreeSource extends FileSource {
  readonly volume?: VolumeIds | undefined
}

/**
 * Collects what `concludeTree` needs to judge the folder at `at`. A complete `.treeinfo` costs one stat, one
 * read and one stat for each image. The folders that may hold images are listed only in a tree without a
 * complete `.treeinfo`.
 *
 * @param name What people call the tree (its id). It hints at distribution and version when no descriptor
 *   says them.
 * @returns undefined when nothing shows that this is a tree.
 */
export async function gatherEvidence(
  source: TreeSource,
  at: CleanPath,
  name: string = at.slice(1),
): Promise<TreeEvidence | undefined> {
  const collector = new EvidenceCollector(source, at, name)
  if (!(await collector.readDescriptor('.treeinfo'))) await collector.readDescriptor('treeinfo')
  const description = collector.description()
  if (!description || !isComplete(description)) {
    await collector.listFolders()
    await collector.readListedDescriptors()
  }
  return collector.finish()
}

/** Collects the evidence of one tree, with few system calls. */
class EvidenceCollector {
  readonly #source: TreeSource
  readonly #at: CleanPath
  readonly #name: string
  readonly #descriptors = new Map<string, Uint8Array>()
  /** Files that were found, by path relative to the tree. */
  readonly #files = new Map<string, Entry>()
  /** Paths of the descriptors that were read, and of the images that they name. */
  readonly #named = new Set<string>()
  readonly #problems: TreeProblem[] = []
  #description: Description | undefined
  #isDescriptionStale = true

  constructor(source: TreeSource, at: CleanPath, name: string) {
    this.#source = source
    this.#at = at
    this.#name = name
  }

  /** Reads one descriptor; false when it is missing or cannot be read. */
  async readDescriptor(path: string): Promise<boolean> {
    if (this.#descriptors.has(path)) return true
    const maxBytes = descriptorFormats.find((format) => format.paths.includes(path))?.maxBytes ?? 0
    try {
      const entry = await this.#stat(path)
      if (entry?.kind !== 'file') return false
      this.#descriptors.set(path, await readLimited(entry, maxBytes))
      this.#named.add(path)
      this.#isDescriptionStale = true
      return true
    } catch (error) {
      this.#problems.push({ file: path, message: failureMessage(error) })
      return false
    }
  }

  /** Reads the descriptors that `listFolders` found: of each format the first that can be read. */
  async readListedDescriptors(): Promise<void> {
    for (const { paths } of descriptorFormats)
      for (const path of paths) if (this.#files.has(path) && (await this.readDescriptor(path))) break
  }

  /** What the descriptors say so far. */
  description(): Description | undefined {
    if (this.#isDescriptionStale) this.#description = readDescriptors(this.#descriptors)
    this.#isDescriptionStale = false
    return this.#description
  }

  /** Lists the tree's folder and, level by level, all folders below it that may hold images. */
  async listFolders(): Promise<void> {
    let level = ['']
    let foldersLeft = maxFolders
    for (let depth = 0; depth < maxDepth && level.length > 0; depth++) {
      const folders = level.slice(0, foldersLeft)
      foldersLeft -= folders.length
      const listings = await Promise.all(
        folders.map((folder) => this.#source.list(joinPath(this.#at, folder), internalRequester)),
      )
      level = []
      for (const [index, entries = []] of listings.entries())
        level.push(...(await this.#takeListing(folders[index] ?? '', entries)))
    }
  }

  /**
   * The evidence, with the images that the descriptors name; undefined when nothing shows that this is a
   * tree.
   */
  async finish(): Promise<TreeEvidence | undefined> {
    const description = this.description()
    // A volume descriptor before a root folder with nothing in it: a hole was copied, and the disc holds no tree.
    if (!description && this.#files.size === 0 && !(await this.#hasEntries())) return undefined
    if (description) await this.#lookForImages(imagesOf(description))
    const evidence: TreeEvidence = {
      name: this.#name,
      // It speaks of the whole disc, and not of a tree in one of its folders.
      volume: this.#at === rootPath ? this.#source.volume : undefined,
      descriptors: this.#descriptors,
      sizes: new Map([...this.#files].map(([path, entry]) => [path, entry.size])),
      modifiedMs: this.#newestMs(),
      problems: this.#problems,
      ...defined({ hasPackages: await this.#hasPackages(description) }),
    }
    const concluded = description && isComplete(description) ? description : concludeTree(evidence)
    if (!concluded) return undefined
    const missing = await this.#missing(concluded)
    return { ...evidence, kernels: await this.#readKernels(concluded), ...defined({ missing }) }
  }

  /** The file that the tree's installer needs, when it is not there. */
  async #missing(description: Description): Promise<NeededFile | undefined> {
    const needed = neededFile(description)
    if (!needed) return undefined
    for (const path of needed.anyOf) {
      if (!this.#named.has(path)) await this.#stat(path).catch(() => undefined)
      if (this.#files.get(path)?.size) return undefined
    }
    const { folder } = needed
    if (!folder) return needed
    const entries = await this.#source.list(joinPath(this.#at, folder.path), internalRequester)
    return entries?.some(({ name }) => folder.name.test(name)) ? undefined : needed
  }

  /** What the headers of a tree's kernels say. Kernels that several platforms share are read once. */
  async #readKernels({ platforms }: Description): Promise<ReadonlyMap<string, readonly string[]>> {
    const kernels = new Map<string, readonly string[]>()
    for (const path of new Set(Object.values(platforms).map(({ kernel }) => kernel))) {
      const entry = path === undefined ? undefined : this.#files.get(path)
      if (path !== undefined && entry) kernels.set(path, await archsOfKernel(entry))
    }
    return kernels
  }

  async #hasEntries(): Promise<boolean> {
    const entries = await this.#source.list(this.#at, internalRequester)
    return entries !== undefined && entries.length > 0
  }

  /** Whether the tree may have packages; undefined where a descriptor names repositories. */
  async #hasPackages(description: Description | undefined): Promise<boolean | undefined> {
    if (description && description.repositories.length > 0) return undefined
    const entries = await this.#source.list(this.#at, internalRequester)
    return entries?.some(({ name }) => isPackageFolder(name))
  }

  /**
   * Takes the files of a folder into the evidence. Resolves to the folders in it that are to be listed, too.
   */
  async #takeListing(folder: string, entries: readonly Entry[]): Promise<string[]> {
    const folders: string[] = []
    for (const entry of entries) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (await this.#takeListed(path, entry)) folders.push(path)
    }
    return folders
  }

  /** Takes a file into the evidence. Resolves to true for a folder that is to be listed, too. */
  async #takeListed(path: string, entry: Entry): Promise<boolean> {
    // debian-installer's netboot folder links `current` to a dated folder, so links to such folders are
    // followed.
    const target = entry.kind === 'symlink' ? await this.#follow(path) : entry
    if (target?.kind === 'file') this.#files.set(path, target)
    return target?.kind === 'folder' && isTellingFolder(entry.name)
  }

  #follow(path: string): Promise<Entry | undefined> {
    return this.#source.stat(joinPath(this.#at, path), internalRequester).catch(() => undefined)
  }

  /**
   * Finds out which of these images exist. A name that is not a path (it holds control characters) counts as
   * missing.
   */
  async #lookForImages(paths: readonly string[]): Promise<void> {
    await Promise.all(
      paths.map(async (path) => {
        this.#named.add(path)
        await this.#stat(path).catch(() => undefined)
      }),
    )
  }

  async #stat(path: string): Promise<Entry | undefined> {
    const found = this.#files.get(path)
    if (found) return found
    const entry = await this.#source.stat(joinPath(this.#at, path), internalRequester)
    if (entry?.kind === 'file') this.#files.set(path, entry)
    return entry
  }

  #newestMs(): number {
    let newest = 0
    // In a tree without a descriptor nothing is named, and every file that was found counts.
    for (const [path, { modifiedMs }] of this.#files)
      if (this.#named.size === 0 || this.#named.has(path)) newest = Math.max(newest, modifiedMs)
    return newest
  }
}

async function readLimited(entry: Entry, maxBytes: number): Promise<Uint8Array> {
  if (entry.size > maxBytes)
    throw new Failure(
      'too-large',
      `is ${entry.size} bytes; a descriptor of more than ${maxBytes} bytes is not read`,
    )
  return readWhole(entry, maxBytes)
}
