import type { Dirent } from 'node:fs'
import { readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { imageStem, isSkippedFolder } from '../../core/tree/names.ts'
import { looksLikeIso } from '../../files/iso/source.ts'
import { itemsIn, stampOf } from '../../files/listing-source.ts'
import { isInside } from '../../host/paths.ts'

/**
 * Folders below `trees/` that may lie above a tree. The deepest layout in use has seven:
 * `centos-stream/9-stream/BaseOS/x86_64/os`, Debian's `debian/dists/bookworm/main/installer-amd64/current/images`.
 */
export const maxDepth = 8
/** Folders looked at in one walk; symlinks to one another could make a walk without end out of few folders. */
export const maxFolders = 50_000
const concurrentFolders = 16

/** A folder below `trees/`, or an ISO image that may be a tree just as well. */
export interface Place {
  /** Path below `trees/`, no slashes at the ends; `.` is `trees/` itself. For an image without its ending. */
  readonly id: string
  /** Real path on disk: of the folder, or of the image. */
  readonly folder: string
  /** The image's name in its folder; undefined for a folder. */
  readonly image?: string
}

export interface Discovery {
  readonly trees: readonly Place[]
  /** Folders that are no tree and were searched for one. */
  readonly searched: readonly Place[]
  /** For people: what was not searched, and why. */
  readonly notes: readonly string[]
}

/**
 * Walks from `start` down to the first tree on every branch. A tree is never looked for inside a tree. Symlinks
 * are followed while their real path stays below `trees/` and is no folder that we are in: a link back up would
 * never end. A link to a tree is a tree of its own, for `latest -> fedora-40` is how people name things.
 *
 * @param treesFolder Real path of `trees/`.
 * @param isTree Asked once for every folder that is reached.
 */
export async function discover(
  treesFolder: string,
  start: Place,
  isTree: (place: Place) => Promise<boolean>,
): Promise<Discovery> {
  const trees: Place[] = []
  const searched: Place[] = []
  const notes: string[] = []
  let waiting: Step[] = [{ place: start, above: [], depth: depthOf(start.id) }]
  const visit = async (step: Step): Promise<Step[]> => {
    if (await isTree(step.place)) {
      trees.push(step.place)
      return []
    }
    if (step.place.image !== undefined) return []
    searched.push(step.place)
    return step.depth >= maxDepth ? [] : childrenOf(treesFolder, step, notes)
  }
  // Level by level: a wide folder is worked off by several at once, and nothing of it is held longer than needed.
  while (waiting.length > 0) {
    const below: Step[] = []
    const left = waiting.values()
    const worker = async (): Promise<void> => {
      for (const step of left) {
        if (searched.length >= maxFolders) return
        below.push(...(await visit(step)))
      }
    }
    await Promise.all(Array.from({ length: concurrentFolders }, worker))
    waiting = below
  }
  if (searched.length >= maxFolders)
    notes.push(
      `stopped looking for trees after ${maxFolders} folders that are none; move other data elsewhere`,
    )
  return { trees: trees.sort(byId), searched, notes }
}

interface Step {
  readonly place: Place
  /** Real paths of the folders that lead here. */
  readonly above: readonly string[]
  readonly depth: number
}

async function childrenOf(treesFolder: string, step: Step, notes: string[]): Promise<Step[]> {
  const { place } = step
  let items: Dirent[]
  try {
    items = await readdir(place.folder, { withFileTypes: true })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
    // Deleted while we looked: nothing to tell.
    if (code !== 'ENOENT' && code !== 'ENOTDIR')
      notes.push(`trees/${place.id} cannot be searched (${code}); allow treeboot to read it`)
    return []
  }
  // `pool` of a Debian mirror, seen beside its `dists`, has a folder for every source package.
  const isArchive = items.some((item) => item.name === 'dists')
  const steps = await imageSteps(treesFolder, step, items, notes)
  for (const item of items) {
    if (isSkippedFolder(item.name) || (isArchive && item.name === 'pool')) continue
    const folder = await folderOf(treesFolder, place.folder, item)
    const above = [...step.above, place.folder]
    if (folder === undefined || above.includes(folder) || isInside(folder, place.folder)) continue
    steps.push({ place: { id: childId(place.id, item.name), folder }, above, depth: step.depth + 1 })
  }
  return steps
}

/**
 * The images among the items. A folder of the same name comes first, since its files have that place already, and
 * of two images the first by name: the others stay files like any other, with a note that says so.
 */
async function imageSteps(
  treesFolder: string,
  step: Step,
  items: readonly Dirent[],
  notes: string[],
): Promise<Step[]> {
  const steps: Step[] = []
  for (const item of [...items].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const place = await imageAt(treesFolder, step.place, item)
    if (!place) continue
    const rival =
      items.find(({ name }) => childId(step.place.id, name) === place.id)?.name ??
      steps.find((other) => other.place.id === place.id)?.place.image
    if (rival === undefined) steps.push({ place, above: step.above, depth: step.depth + 1 })
    else
      notes.push(
        `trees/${childId(step.place.id, item.name)} is not opened as a tree: its place trees/${place.id} is taken by ${rival}; rename one of them`,
      )
  }
  return steps
}

/** The image that a file, or a symlink to one inside `trees/`, is by its name and content; undefined for anything else. */
async function imageAt(treesFolder: string, parent: Place, item: Dirent): Promise<Place | undefined> {
  const stem = imageStem(item.name)
  if (stem === undefined || isSkippedFolder(stem) || item.isDirectory()) return undefined
  const path = join(parent.folder, item.name)
  const file = item.isFile() ? path : await realpath(path).catch(() => undefined)
  if (file === undefined || !isInside(treesFolder, file) || !(await looksLikeIso(file))) return undefined
  return { id: childId(parent.id, stem), folder: file, image: item.name }
}

/** The place of an id, now: a folder, else an image; undefined when there is neither. */
export async function placeOf(treesFolder: string, id: string): Promise<Place | undefined> {
  if (id !== '.' && id.split('/').some(isSkippedFolder)) return undefined
  const folder = await realpath(join(treesFolder, id)).catch(() => undefined)
  if (folder !== undefined)
    return isInside(treesFolder, folder) && (await isFolder(folder)) ? { id, folder } : undefined
  const cut = id.lastIndexOf('/')
  const parent = await placeOf(treesFolder, cut < 0 ? '.' : id.slice(0, cut))
  if (!parent || parent.image !== undefined) return undefined
  for (const item of ((await itemsIn(parent.folder)) ?? []).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (imageStem(item.name) !== id.slice(cut + 1)) continue
    const place = await imageAt(treesFolder, parent, item)
    if (place) return place
  }
  return undefined
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
  return real !== undefined && isInside(treesFolder, real) ? real : undefined
}

export function childId(parent: string, name: string): string {
  return parent === '.' ? name : `${parent}/${name}`
}

/** Folders between `trees/` and this one; 0 for `trees/` itself. */
function depthOf(id: string): number {
  return id === '.' ? 0 : id.split('/').length
}

function byId(a: Place, b: Place): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
