import { failureKind } from '../../core/failure.ts'
import { bootFiles } from '../../core/tree/boot-files.ts'
import { concludeTree, type TreeEvidence } from '../../core/tree/conclude.ts'
import type { Description, Digest, Release } from '../../core/tree/tree.ts'
import { ListingSource, type Look, type Stamp, sameStamp, stampAgain } from '../../files/listing-source.ts'
import { cleanPath, rootPath } from '../../files/path.ts'
import { folderOfVersion } from '../../versions/layout.ts'
import { recordAt, type VersionRecord } from '../../versions/record.ts'
import type { Place } from './discover.ts'
import { gatherEvidence, judgeFolder } from './gather.ts'
import { ImageLook } from './image-look.ts'

/** What one look at a tree gave: what it says it is, and what is there of it. */
export interface TreeReading {
  readonly description: Description
  /** Real path of the tree. */
  readonly folder: string
  /** The files that make the tree what it is, by path relative to it: descriptors, images, stage 2, whatever has a digest. */
  readonly files: ReadonlyMap<string, Stamp | undefined>
  /** The descriptor, for reasons: `.treeinfo`; undefined when the tree was recognised by its files. */
  readonly namedBy?: string
  /** Everything the look saw, by absolute real path: while all of it is the same, a new look would say the same. */
  readonly seen: readonly Stamp[]
  /** Of a tree that treeboot published: it was whole and verified before anyone could see it. */
  readonly published?: VersionRecord
  readonly release?: Release
  /** For a tree in an image: the image's name, and how many bytes it lacks by its own account. */
  readonly image?: { readonly name: string; readonly missingBytes: number }
}

/**
 * Looks at a folder or into an image; undefined when it is no tree.
 *
 * @param within Real path that symlinks must stay inside.
 * @param onTrouble Why an image is no tree: people put it there to be one.
 */
export async function readTree(
  place: Place,
  within: string,
  onTrouble?: (why: string) => void,
): Promise<TreeReading | undefined> {
  const reading =
    place.image === undefined
      ? await readFolder(place, within)
      : await readImage(place, place.image, onTrouble)
  const published = reading && (await recordAt(within, place.folder))
  if (!reading || !published) return reading
  const { id, version } = published
  return { ...reading, published, release: { id, version, folder: folderOfVersion(within, id, version) } }
}

/** A tree that was recognised by its descriptors or files. */
export interface RecognizedTree {
  readonly evidence: TreeEvidence
  readonly description: Description
}

/** Recognises a folder as a tree, without looking further at its files. */
export async function recognizeFolder(place: Place, within: string): Promise<RecognizedTree | undefined> {
  const look = new ListingSource(place.folder, within)
  return (await mayBeTree(look)) ? recognize(place, look) : undefined
}

async function readFolder(place: Place, within: string): Promise<TreeReading | undefined> {
  const look = new ListingSource(place.folder, within)
  return (await mayBeTree(look)) ? lookAt(place, look) : undefined
}

async function mayBeTree(look: Look): Promise<boolean> {
  return judgeFolder(await look.names(rootPath)) !== 'no'
}

async function recognize(place: Place, look: Look): Promise<RecognizedTree | undefined> {
  const name = place.id === '.' ? '' : place.id
  const evidence = await gatherEvidence(look, rootPath, name)
  const description = evidence && concludeTree(evidence)
  if (!description) return undefined
  // `trees/` itself is a tree only if a descriptor says so: a folder `boot` with a kernel must not swallow all trees.
  if (place.id === '.' && description.era === 'files-only') return undefined
  return { evidence, description }
}

async function readImage(
  place: Place,
  name: string,
  onTrouble: ((why: string) => void) | undefined,
): Promise<TreeReading | undefined> {
  const look = await ImageLook.open(place.folder)
  if (!look) return undefined
  const { missingBytes } = look
  const reading = await lookAt(place, look)
  if (reading) {
    const problems = look.troubles.map((message) => ({ message }))
    const description = { ...reading.description, problems: [...reading.description.problems, ...problems] }
    return { ...reading, description, image: { name, missingBytes } }
  }
  // The head of a disc comes first in a copy; what kind of tree it will be shows later.
  if (missingBytes > 0)
    return {
      description: unknownTree,
      folder: place.folder,
      files: new Map(),
      seen: [look.image],
      image: { name, missingBytes },
    }
  onTrouble?.(look.troubles[0] ?? `${name} holds no installation tree that we know`)
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

async function lookAt(place: Place, source: Look): Promise<TreeReading | undefined> {
  const recognized = await recognize(place, source)
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
    folder: place.folder,
    files,
    ...(namedBy !== undefined && { namedBy }),
    seen: [...(await source.seen()).values()],
  }
}

/** A name that is no path (it holds control characters) names no file. */
async function stampOfNamed(source: Look, path: string): Promise<Stamp | undefined> {
  try {
    const stamp = await source.stamp(cleanPath(`/${path}`))
    return stamp && !stamp.folder ? stamp : undefined
  } catch (error) {
    if (failureKind(error) === 'bad-request') return undefined
    throw error
  }
}

/** Whether everything that the reading is based on is still as it was. */
export async function isCurrent(reading: TreeReading): Promise<boolean> {
  const now = await Promise.all(reading.seen.map((stamp) => stampAgain(stamp)))
  return reading.seen.every((stamp, index) => sameStamp(stamp, now[index]))
}

/** The first file that differs between two readings of one tree, or undefined: the same tree, bytes and all. */
export function changedFile(before: TreeReading, after: TreeReading): string | undefined {
  // All files of an image have its times: one of them is as good as another, and the image itself is what moved.
  if (after.image && !sameStamp(before.seen[0], after.seen[0])) return after.image.name
  for (const [path, stamp] of after.files) if (!sameStamp(before.files.get(path), stamp)) return path
  for (const path of before.files.keys()) if (!after.files.has(path)) return path
  return undefined
}

/** When the newest of what was seen was made: by ctime for files, which no copying tool sets back, by mtime for folders. */
export function newestChangeMs(reading: TreeReading): number {
  let newest = 0
  // A folder's ctime also moves when the folder itself is renamed, and a tree moved into place is complete.
  for (const stamp of reading.seen) newest = Math.max(newest, stamp.folder ? stamp.mtimeMs : stamp.ctimeMs)
  return newest
}

/** Boot files that are not there or have no bytes yet. */
export function missingFiles(reading: TreeReading): string[] {
  return bootFiles(reading.description).required.filter((path) => isMissing(reading, path))
}

export function isMissing(reading: TreeReading, path: string): boolean {
  return !reading.files.get(path)?.size
}

/** The files whose digest is named and that are there to be checked. */
export function claimsOf(reading: TreeReading): { path: string; stamp: Stamp; expected: Digest }[] {
  return Object.entries(reading.description.checksums).flatMap(([path, expected]) => {
    const stamp = reading.files.get(path)
    return stamp ? [{ path, stamp, expected }] : []
  })
}
