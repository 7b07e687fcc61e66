import type { Snapshot } from '../catalog/snapshot.ts'
import type { Tree } from '../core/tree/tree.ts'
import { byName, renameEntry } from '../files/entry.ts'
import { isoSource } from '../files/iso/source.ts'
import { baseName, below, type CleanPath, cleanPath, joinPath, parentPath, rootPath } from '../files/path.ts'
import type { Entry, FileSource } from '../files/source.ts'
import { findableTree, type Repairs } from './findable.ts'

/**
 * The folder `trees/` as clients see it: what is on disk as it is; the files inside of each ISO image at the place
 * that its name gives (`trees/Fedora-40.iso` at `/trees/Fedora-40/`, the image itself beside it); and in each tree
 * what makes it findable for clients that need more than it brings along.
 */
export function treesSource(snapshot: () => Pick<Snapshot, 'trees'>, disk: FileSource): FileSource {
  const images = new Map<string, FileSource>()
  const repairs: Repairs = new WeakMap()
  let made: { readonly trees: readonly Tree[]; readonly places: ReadonlyMap<CleanPath, Placed> } | undefined

  const imageAt = (file: string): FileSource => {
    const image = images.get(file) ?? lazily(() => isoSource(file))
    images.set(file, image)
    return image
  }

  const place = (tree: Tree): [CleanPath, Placed] => {
    const at = cleanPath(`/${tree.id}`)
    const isImage = tree.origin.kind === 'iso'
    const real = isImage ? imageAt(tree.origin.path) : partOf(disk, at)
    return [at, { isImage, source: findableTree(tree, real, repairs) }]
  }

  /** Made anew with each snapshot; images stay as they are while a tree is in them. */
  const places = (): ReadonlyMap<CleanPath, Placed> => {
    const trees = snapshot().trees.all
    if (made?.trees === trees) return made.places
    made = { trees, places: new Map(trees.map(place)) }
    const used = new Set(trees.map(({ origin }) => origin.path))
    for (const file of images.keys()) if (!used.has(file)) images.delete(file)
    return made.places
  }

  const stat: FileSource['stat'] = async (path, who) => {
    const found = treeOf(places(), path)
    if (!found) return disk.stat(path, who)
    const entry = await found.source.stat(found.inside, who)
    return entry && renameEntry(entry, baseName(path))
  }

  return {
    stat,
    async list(path, who) {
      const found = treeOf(places(), path)
      if (found) return found.source.list(found.inside, who)
      const roots: Entry[] = []
      for (const [at, { isImage }] of places()) {
        if (!isImage || parentPath(at) !== path) continue
        // One damaged image must not hide its neighbours; asking for it tells what is wrong.
        const root = await stat(at, who).catch(() => undefined)
        if (root) roots.push(root)
      }
      const listed = await disk.list(path, who)
      return roots.length === 0 ? listed : [...(listed ?? []), ...roots].sort(byName)
    },
  }
}

interface Placed {
  readonly isImage: boolean
  readonly source: FileSource
}

/** The tree that a path is in, and where in there. */
function treeOf(
  places: ReadonlyMap<CleanPath, Placed>,
  path: CleanPath,
): { readonly source: FileSource; readonly inside: CleanPath } | undefined {
  for (let at = path; ; at = parentPath(at)) {
    const placed = places.get(at)
    if (placed) return { source: placed.source, inside: below(at, path) ?? rootPath }
    if (at === rootPath) return undefined
  }
}

/** A folder of a source as a source of its own. */
function partOf(source: FileSource, at: CleanPath): FileSource {
  if (at === rootPath) return source
  return {
    stat: (path, who) => source.stat(joinPath(at, path), who),
    list: (path, who) => source.list(joinPath(at, path), who),
  }
}

/** A source that is opened when it is first asked, and again when that failed. */
function lazily(open: () => Promise<FileSource>): FileSource {
  let opening: Promise<FileSource> | undefined
  const opened = (): Promise<FileSource> => {
    if (opening) return opening
    const started = open()
    opening = started
    started.catch(() => {
      opening = undefined
    })
    return started
  }
  return {
    stat: async (path, who) => (await opened()).stat(path, who),
    list: async (path, who) => (await opened()).list(path, who),
  }
}
