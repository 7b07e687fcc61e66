import type { Dirent } from 'node:fs'
import { readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { treeLimits } from '../../core/limits/trees.ts'
import { imageStem, isSkippedFolder } from '../../core/tree/names.ts'
import { looksLikeIso } from '../../files/iso/source.ts'
import { itemsIn, stampOf } from '../../files/listing-source.ts'
import { isInside } from '../../host/paths.ts'
import { forEachAtOnce } from '../../host/pool.ts'
import { isMeantAsImage } from './unreadable-image.ts'

/**
 * How many folders deep a tree may be below `trees/`. `centos-stream/9-stream/BaseOS/x86_64/os` has five
 * folders. The deepest layout in use, Debian's, has seven:
 * `debian/dists/bookworm/main/installer-amd64/current/images`.
 */
export const maxDepth = treeLimits.treeSearch.depth
/**
 * How many folders one search visits. A few folders with symlinks to one another multiply at each level, and
 * `maxDepth` levels of them would take very long.
 */
export const maxFolders = treeLimits.treeSearch.entries
const foldersAtOnce = 16

/** Where a tree may be: a folder below `trees/`, or an ISO image. */
export interface TreeLocation {
  /**
   * Path below `trees/`, without slashes at the ends; `.` is `trees/` itself. For an image, the path without
   * the ending `.iso`.
   */
  readonly id: string
  /** Real path of the folder, or of the image. */
  readonly diskPath: string
  /** The image's name in its folder; undefined for a folder. */
  readonly image?: string
}

/** What one search has found. */
export interface Discovery {
  readonly trees: readonly TreeLocation[]
  /** The folders that were searched for trees and are not trees themselves. */
  readonly searched: readonly TreeLocation[]
  /** For people: what was not searched, and why. */
  readonly notes: readonly string[]
}

/**
 * Searches from `start` down to the first tree on every branch, and not inside trees. A symlink is followed
 * when its real path is below `trees/`. A link to a folder above itself is not followed: the search would go
 * round in a circle. A link to a tree is a tree of its own, because people name trees with links such as
 * `latest -> fedora-40`.
 *
 * @param treesFolder Real path of `trees/`.
 * @param isTree Called once for every folder and image that the search reaches.
 */
export async function discover(
  treesFolder: string,
  start: TreeLocation,
  isTree: (location: TreeLocation) => Promise<boolean>,
): Promise<Discovery> {
  const trees: TreeLocation[] = []
  const searched: TreeLocation[] = []
  const notes: string[] = []
  const visit = async (step: Step): Promise<Step[]> => {
    if (await isTree(step.location)) {
      trees.push(step.location)
      return []
    }
    if (step.location.image !== undefined) return []
    searched.push(step.location)
    return step.depth >= maxDepth ? [] : childrenOf(treesFolder, step, notes)
  }
  // The search goes level by level, so that several folders of one level are read at once.
  let level: Step[] = [{ location: start, above: [], depth: depthOf(start.id) }]
  while (level.length > 0) {
    const below: Step[] = []
    await forEachAtOnce(level, foldersAtOnce, async (step) => {
      if (searched.length < maxFolders) below.push(...(await visit(step)))
    })
    level = below
  }
  if (searched.length >= maxFolders)
    notes.push(
      `stopped looking for trees after ${maxFolders} folders that are not trees; move other data elsewhere`,
    )
  return { trees: trees.sort(byId), searched, notes }
}

/** A folder or image that the search is to visit. */
interface Step {
  readonly location: TreeLocation
  /** Real paths of the folders through which the search came here. */
  readonly above: readonly string[]
  readonly depth: number
}

async function childrenOf(treesFolder: string, step: Step, notes: string[]): Promise<Step[]> {
  const { id, diskPath } = step.location
  let items: Dirent[]
  try {
    items = await readdir(diskPath, { withFileTypes: true })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
    // A folder that was deleted meanwhile needs no note.
    if (code !== 'ENOENT' && code !== 'ENOTDIR')
      notes.push(`trees/${id} cannot be searched (${code}); allow treeboot to read it`)
    return []
  }
  // A `pool` beside a `dists` belongs to a Debian mirror. It is not searched, because it has a folder for
  // every source package.
  const isArchive = items.some((item) => item.name === 'dists')
  const steps = await imageSteps(treesFolder, step, items, notes)
  const above = [...step.above, diskPath]
  for (const item of items) {
    if (isSkippedFolder(item.name) || (isArchive && item.name === 'pool')) continue
    const folder = await folderOf(treesFolder, diskPath, item)
    if (folder === undefined || above.includes(folder) || isInside(folder, diskPath)) continue
    const location = { id: childId(id, item.name), diskPath: folder }
    steps.push({ location, above, depth: step.depth + 1 })
  }
  return steps
}

/**
 * The steps to the images among the items of a folder. When a folder and an image have the same id, the
 * folder becomes the tree, since its files have that path already. Of two images with the same id, the first
 * by name that begins as a disc does becomes the tree. The image that loses is served as a plain file, and a note says so.
 */
async function imageSteps(
  treesFolder: string,
  step: Step,
  items: readonly Dirent[],
  notes: string[],
): Promise<Step[]> {
  const steps: Step[] = []
  const parent = step.location
  for (const location of await imagesAmong(treesFolder, parent, items)) {
    const rival =
      items.find(({ name }) => childId(parent.id, name) === location.id)?.name ??
      steps.find((step) => step.location.id === location.id)?.location.image
    if (rival === undefined) steps.push({ location, above: step.above, depth: step.depth + 1 })
    else
      notes.push(
        `trees/${childId(parent.id, location.image ?? '')} is not opened as a tree: its place trees/${location.id} is taken by ${rival}; rename one of them`,
      )
  }
  return steps
}

/** The images in a folder by name: first those that begin as a disc does, then those that are only meant as one. */
async function imagesAmong(
  treesFolder: string,
  parent: TreeLocation,
  items: readonly Dirent[],
): Promise<TreeLocation[]> {
  const discs: TreeLocation[] = []
  const others: TreeLocation[] = []
  for (const item of [...items].sort(byFileName)) {
    const location = await imageAt(treesFolder, parent, item)
    if (!location) continue
    if (await looksLikeIso(location.diskPath)) discs.push(location)
    else if (await isMeantAsImage(location.diskPath, item.name, location.id)) others.push(location)
  }
  return [...discs, ...others]
}

/** The location of a file with an image's name. The item may be a symlink to a file inside `trees/`. */
async function imageAt(
  treesFolder: string,
  parent: TreeLocation,
  item: Dirent,
): Promise<TreeLocation | undefined> {
  const stem = imageStem(item.name)
  if (stem === undefined || isSkippedFolder(stem) || item.isDirectory()) return undefined
  const path = join(parent.diskPath, item.name)
  const file = item.isFile() ? path : await realpath(path).catch(() => undefined)
  if (file === undefined || !isInside(treesFolder, file)) return undefined
  return { id: childId(parent.id, stem), diskPath: file, image: item.name }
}

/** Finds what is at an id now: a folder, else an image; undefined when neither is there. */
export async function findLocation(treesFolder: string, id: string): Promise<TreeLocation | undefined> {
  if (id !== '.' && id.split('/').some(isSkippedFolder)) return undefined
  const diskPath = await realpath(join(treesFolder, id)).catch(() => undefined)
  if (diskPath !== undefined)
    return isInside(treesFolder, diskPath) && (await isFolder(diskPath)) ? { id, diskPath } : undefined
  const cut = id.lastIndexOf('/')
  const parent = await findLocation(treesFolder, cut < 0 ? '.' : id.slice(0, cut))
  if (!parent || parent.image !== undefined) return undefined
  const items = ((await itemsIn(parent.diskPath)) ?? []).filter(
    ({ name }) => imageStem(name) === id.slice(cut + 1),
  )
  return (await imagesAmong(treesFolder, parent, items))[0]
}

async function isFolder(path: string): Promise<boolean> {
  return (await stampOf(path))?.folder === true
}

/** The real path of a folder or of a symlink to one inside `trees/`. */
async function folderOf(treesFolder: string, parent: string, item: Dirent): Promise<string | undefined> {
  const path = join(parent, item.name)
  if (item.isDirectory()) return path
  if (!item.isSymbolicLink()) return undefined
  const real = await realpath(path).catch(() => undefined)
  if (real === undefined || !isInside(treesFolder, real)) return undefined
  return (await stampOf(real))?.folder ? real : undefined
}

export function childId(parent: string, name: string): string {
  return parent === '.' ? name : `${parent}/${name}`
}

/** How many folders below `trees/` this one is: 1 for `trees/x`, 0 for `trees/` itself. */
function depthOf(id: string): number {
  return id === '.' ? 0 : id.split('/').length
}

function byFileName(a: Dirent, b: Dirent): number {
  return a.name < b.name ? -1 : 1
}

function byId(a: TreeLocation, b: TreeLocation): number {
  return a.id < b.id ? -1 : 1
}
