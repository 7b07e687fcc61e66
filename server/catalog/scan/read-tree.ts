import { access, constants } from 'node:fs'
import { join, relative } from 'node:path'
import { defined } from '../../core/defined.ts'
import { failureKind } from '../../core/failure.ts'
import { bootablePlatforms, bootFiles } from '../../core/tree/boot-files.ts'
import { concludeTree, imagesOf, type TreeEvidence } from '../../core/tree/conclude.ts'
import { type ForeignKernel, foreignKernels } from '../../core/tree/kernel-arch.ts'
import type { Description, Release } from '../../core/tree/tree.ts'
import { ListingSource, type Look, type Stamp, sameStamp, stampAgain } from '../../files/listing-source.ts'
import { cleanPath, rootPath } from '../../files/path.ts'
import type { FileToRead } from '../../verify/background-verifier.ts'
import { folderOfVersion } from '../../versions/layout.ts'
import { recordAt, type VersionRecord } from '../../versions/record.ts'
import type { TreeLocation } from './discover.ts'
import { gatherEvidence, judgeFolder } from './gather.ts'
import { ImageLook } from './image-look.ts'
import { whyUnreadable } from './unreadable-image.ts'

/** The result of one look at a tree: what it says it is, and which of its files exist. */
export interface TreeReading {
  readonly description: Description
  /** Real path of the tree's folder or image. */
  readonly diskPath: string
  /**
   * Stamps by path relative to the tree: descriptors, images, stage 2, and everything with a digest.
   * Undefined for a missing file.
   */
  readonly files: ReadonlyMap<string, Stamp | undefined>
  /**
   * The name of the descriptor, for messages: `.treeinfo`; undefined when the tree was recognised by its
   * files.
   */
  readonly namedBy?: string
  /** Kernels that are for another architecture than the tree says. */
  readonly foreign: readonly ForeignKernel[]
  /** Everything that the look saw: while all of it is the same, another look would give the same result. */
  readonly seen: readonly Stamp[]
  /** The record of a tree that treeboot published: such a tree was verified before anyone could see it. */
  readonly published?: VersionRecord
  readonly release?: Release
  /**
   * For a tree in an image: the image's name, and how many bytes are missing from the size that its header
   * states.
   */
  readonly image?: {
    readonly name: string
    readonly size: number
    readonly missingBytes: number
    /** Why no tree can be read from it, and what to do about it, in one sentence. */
    readonly unreadable?: string
  }
}

/**
 * Looks at a folder or into an image; undefined when it is not a tree.
 *
 * @param treesFolder Real path of `trees/`. Symlinks must stay inside it.
 * @param onTrouble Called with the reason when an image does not hold a tree. An image in `trees/` is meant
 *   to hold one.
 */
export async function readTree(
  location: TreeLocation,
  treesFolder: string,
  onTrouble?: (why: string) => void,
): Promise<TreeReading | undefined> {
  const reading =
    location.image === undefined
      ? await readFolder(location, treesFolder)
      : await readImage(location, location.image, onTrouble)
  const published = reading && (await recordAt(treesFolder, location.diskPath))
  if (!reading || !published) return reading
  const { id, version } = published
  const folder = folderOfVersion(treesFolder, id, version)
  return { ...reading, published, release: { id, version, folder } }
}

/** A tree that was recognised by its descriptors or files. */
export interface RecognizedTree {
  readonly evidence: TreeEvidence
  readonly description: Description
}

/**
 * Recognises a folder as a tree, without looking further at its files.
 *
 * @param within Real path that symlinks must stay inside.
 */
export async function recognizeFolder(
  location: TreeLocation,
  within: string,
): Promise<RecognizedTree | undefined> {
  const look = new ListingSource(location.diskPath, within)
  return (await mayBeTree(look)) ? recognize(location, look) : undefined
}

async function readFolder(location: TreeLocation, within: string): Promise<TreeReading | undefined> {
  const look = new ListingSource(location.diskPath, within)
  return (await mayBeTree(look)) ? lookAt(location, look) : undefined
}

async function mayBeTree(look: Look): Promise<boolean> {
  return judgeFolder(await look.names(rootPath)) !== 'no'
}

async function recognize(location: TreeLocation, look: Look): Promise<RecognizedTree | undefined> {
  const name = location.id === '.' ? '' : location.id
  const evidence = await gatherEvidence(look, rootPath, name)
  const description = evidence && concludeTree(evidence)
  if (!description) return undefined
  // `trees/` itself is a tree only if a descriptor says so: a folder `boot` with a kernel must not swallow
  // all trees.
  if (location.id === '.' && description.era === 'files-only') return undefined
  return { evidence, description }
}

async function readImage(
  location: TreeLocation,
  name: string,
  onTrouble: ((why: string) => void) | undefined,
): Promise<TreeReading | undefined> {
  const look = await ImageLook.open(location.diskPath)
  if (!look) return undefined
  const { missingBytes } = look
  const root = await look.list(rootPath)
  const reading = await lookAt(location, look)
  const boots = reading !== undefined && bootablePlatforms(reading.description).length > 0
  // What cannot be read of an image without its end may be in that end.
  const unreadable = missingBytes > 0 ? undefined : whyUnreadable(name, look, { root, boots })
  const image = { name, size: look.image.size, missingBytes, ...defined({ unreadable }) }
  if (reading && unreadable === undefined) {
    const problems = look.troubles.map((message) => ({ message }))
    const description = { ...reading.description, problems: [...reading.description.problems, ...problems] }
    return { ...reading, description, image }
  }
  // It is probably being copied. A later look shows what tree it holds.
  if (missingBytes > 0 || unreadable !== undefined)
    return {
      description: unknownTree,
      diskPath: location.diskPath,
      files: new Map(),
      foreign: [],
      seen: [look.image],
      image,
    }
  onTrouble?.(look.troubles[0] ?? `${name} does not hold an installation tree that we know`)
  return undefined
}

const unknownTree: Description = {
  era: 'files-only',
  family: '',
  version: '',
  variant: '',
  arch: '',
  platforms: {},
  repositories: [],
  checksums: {},
  problems: [],
}

async function lookAt(location: TreeLocation, source: Look): Promise<TreeReading | undefined> {
  const recognized = await recognize(location, source)
  if (!recognized) return undefined
  const { evidence, description } = recognized
  const { required, optional } = bootFiles(description)
  const descriptors = [...evidence.descriptors.keys()]
  const named = new Set([...descriptors, ...required, ...optional, ...Object.keys(description.checksums)])
  if (description.stage2 !== undefined) named.add(description.stage2)
  if (description.instimage !== undefined) named.add(description.instimage)
  const files = new Map<string, Stamp | undefined>()
  for (const path of named) files.set(path, await stampOfNamed(source, path))
  const [namedBy] = descriptors
  return {
    description,
    diskPath: location.diskPath,
    files,
    foreign: foreignKernels(description, evidence.kernels ?? new Map()),
    ...(namedBy !== undefined && { namedBy }),
    seen: [...(await source.seen()).values()],
  }
}

/**
 * The stamp of a file that a descriptor names; undefined when there is no such file, also because the name is
 * not a path (it holds control characters).
 */
async function stampOfNamed(source: Look, path: string): Promise<Stamp | undefined> {
  try {
    const stamp = await source.stamp(cleanPath(`/${path}`))
    return stamp && !stamp.folder ? stamp : undefined
  } catch (error) {
    if (failureKind(error) === 'bad-request') return undefined
    throw error
  }
}

/** Whether everything that the look saw is unchanged, so that the reading still holds. */
export async function isCurrent(reading: TreeReading): Promise<boolean> {
  const now = await Promise.all(reading.seen.map((stamp) => stampAgain(stamp)))
  return reading.seen.every((stamp, index) => sameStamp(stamp, now[index]))
}

/** The first file that differs between two readings of one tree; undefined when all bytes are the same. */
export function changedFile(before: TreeReading, after: TreeReading): string | undefined {
  // All files of an image have its times, so the image itself is named.
  if (after.image && !sameStamp(before.seen[0], after.seen[0])) return after.image.name
  for (const [path, stamp] of after.files) if (!sameStamp(before.files.get(path), stamp)) return path
  for (const path of before.files.keys()) if (!after.files.has(path)) return path
  return undefined
}

/** The time of the newest change: ctime for files, which no copying tool sets back, and mtime for folders. */
export function newestChangeMs(reading: TreeReading): number {
  let newest = 0
  // A folder's ctime also moves when the folder itself is renamed, and a tree moved into place is complete.
  for (const stamp of reading.seen) newest = Math.max(newest, stamp.folder ? stamp.mtimeMs : stamp.ctimeMs)
  return newest
}

/** Boot files that are missing or have no bytes yet. */
export function missingFiles(reading: TreeReading): string[] {
  return bootFiles(reading.description).required.filter((path) => isMissing(reading, path))
}

/**
 * Boot files that this process may not open, such as a kernel with mode 0600 that another user has copied. No
 * time of a file shows this reliably, so each look asks again.
 */
export async function unreadableFiles({ description, files }: TreeReading): Promise<string[]> {
  const { required, optional } = bootFiles(description)
  const all = [...required, ...optional]
  const answers = await Promise.all(
    all.map(async (path) => {
      const stamp = files.get(path)
      return stamp === undefined || (await mayRead(stamp.inside?.image ?? stamp.file))
    }),
  )
  return all.filter((_, index) => !answers[index])
}

/** A callback for the same reason as in `stampOf`. Only a refusal counts: a file that has just gone is missing. */
function mayRead(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    access(file, constants.R_OK, (error) => resolve(error?.code !== 'EACCES'))
  })
}

export function isMissing(reading: TreeReading, path: string): boolean {
  return !reading.files.get(path)?.size
}

/** The files that exist and are read: those whose digest a descriptor names, and the images, for their SHA-256. */
export function filesToRead({ description, files }: TreeReading): FileToRead[] {
  const { checksums } = description
  const described = Object.entries(checksums).flatMap(([path, expected]) => {
    const stamp = files.get(path)
    return stamp ? [{ path, stamp, expected }] : []
  })
  const images = imagesOf(description).flatMap((path) => {
    const stamp = files.get(path)
    const isNamed = Object.hasOwn(checksums, path) && checksums[path]?.algorithm === 'sha256'
    return stamp && !isNamed ? [{ path, stamp }] : []
  })
  return [...described, ...images]
}

/** The path of a file of the tree, as the record of its version names it. */
export function pathInVersion({ release, diskPath, image }: TreeReading, path: string): string {
  return release === undefined || image ? path : join(relative(release.folder, diskPath), path)
}
