import type { Dirent } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { configurationLimits } from '../core/limits/configuration.ts'
import { isTemporaryFile } from '../core/tree/names.ts'
import { isInside } from '../host/paths.ts'

/**
 * How many files and folders are found at most, and in how many folders. All templates are in memory. Symlinks show
 * a folder under several paths, and a few folders with symlinks to one another have more paths than can be searched.
 */
interface SearchLimits {
  readonly entries: number
  readonly depth: number
}

/** Takes what is wrong with a path below the folder of templates. */
export type NoteProblem = (path: string, message: string, remedy: string) => void

/** A search, while it runs. */
interface Search {
  /** Real path of all templates. */
  readonly root: string
  readonly note: NoteProblem
  readonly limits: SearchLimits
  /** Paths of the files that were found, below the root. */
  readonly files: string[]
  /** How many files and folders may still be found. */
  left: number
  /** Whether a folder was left out because it lies too deep: one of them is enough for a message. */
  isTooDeep: boolean
}

interface SearchedFolder {
  /** Real path of this folder. */
  readonly folder: string
  /** What the paths of files in this folder begin with: '' or `snippets/`. */
  readonly prefix: string
  readonly depth: number
}

/**
 * Finds all files that may be templates, without those that are hidden or belong to editors. Symlinks are followed
 * inside the folder.
 *
 * @param root Real path of the folder.
 * @returns Paths below the root, sorted.
 */
export async function findTemplates(
  root: string,
  note: NoteProblem,
  limits: SearchLimits = configurationLimits.templates,
): Promise<readonly string[]> {
  const search: Search = { root, note, limits, files: [], left: limits.entries, isTooDeep: false }
  await searchFolder(search, { folder: root, prefix: '', depth: 0 })
  return search.files.sort()
}

/** Adds what is in a folder, in the order of names, so that a search that is cut off finds the same each time. */
async function searchFolder(search: Search, { folder, prefix, depth }: SearchedFolder): Promise<void> {
  const items = await readdir(folder, { withFileTypes: true }).catch((): Dirent[] => [])
  for (const item of items.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (item.name.startsWith('.') || isTemporaryFile(item.name)) continue
    const found = await followItem(search.root, folder, item)
    if (!found) continue
    const path = `${prefix}${item.name}`
    if (!hasRoom(search, path)) return
    if (found.kind === 'file') search.files.push(path)
    else if (depth < search.limits.depth)
      await searchFolder(search, { folder: found.real, prefix: `${path}/`, depth: depth + 1 })
    else noteTooDeep(search, path)
  }
}

/** Counts a file or folder. The first that is too many is a problem, and ends the search. */
function hasRoom(search: Search, path: string): boolean {
  search.left--
  if (search.left === -1)
    search.note(
      path,
      `more than ${search.limits.entries} files and folders; this and the following are left out`,
      'move some away',
    )
  return search.left >= 0
}

function noteTooDeep(search: Search, path: string): void {
  if (!search.isTooDeep)
    search.note(path, `lies in ${search.limits.depth} folders; what is in it is left out`, 'move it up')
  search.isTooDeep = true
}

/**
 * The kind and the real path of an item, after following symlinks. Undefined for a link that leads out of the
 * folder, and for anything that is not a file or folder.
 */
async function followItem(
  root: string,
  folder: string,
  item: Dirent,
): Promise<{ readonly kind: 'file' | 'folder'; readonly real: string } | undefined> {
  const path = join(folder, item.name)
  if (item.isFile()) return { kind: 'file', real: path }
  if (item.isDirectory()) return { kind: 'folder', real: path }
  const real = item.isSymbolicLink() ? await realpath(path).catch(() => undefined) : undefined
  if (real === undefined || !isInside(root, real)) return undefined
  const stats = await stat(real).catch(() => undefined)
  if (stats?.isFile()) return { kind: 'file', real }
  // A link to a folder above would show everything again and again.
  return stats?.isDirectory() && !isInside(real, folder) ? { kind: 'folder', real } : undefined
}
