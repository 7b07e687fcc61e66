import type { Snapshot } from '../catalog/snapshot.ts'
import type { Requester } from '../core/net/requester.ts'
import type { Tree } from '../core/tree/tree.ts'
import { diskSource } from '../files/disk.ts'
import { byName, renameEntry } from '../files/entry.ts'
import { isoSource } from '../files/iso/source.ts'
import { baseName, below, type CleanPath, cleanPath, joinPath, parentPath, rootPath } from '../files/path.ts'
import type { Entry, FileSource } from '../files/source.ts'
import type { BootMachines } from '../machines/machines.ts'
import { type Repairs, withTreeinfo } from './with-treeinfo.ts'

export interface TreesParts {
  readonly snapshot: () => Pick<Snapshot, 'trees'>
  /** What lies in `trees/`, which is `folder` now. */
  readonly disk: FileSource
  readonly folder: () => string
  readonly machines: Pick<BootMachines, 'versionFor'>
}

/**
 * The folder `trees/` as clients see it: what is on disk as it is; the files inside of each ISO image at the
 * place that its name gives (`trees/Fedora-40.iso` at `/trees/Fedora-40/`, the image itself beside it); in
 * each tree what makes it findable for clients that need more than it brings along; and of a published tree
 * the version that this client sees.
 */
export function treesSource({ snapshot, disk, folder, machines }: TreesParts): FileSource {
  const repairs: Repairs = new WeakMap()
  /** Images and versions, by their real path. */
  const opened = new Map<string, FileSource>()
  let made: { readonly trees: readonly Tree[]; readonly places: ReadonlyMap<CleanPath, Placed> } | undefined
  const earlier = new WeakMap<Tree, Placed>()

  const openedAt = (path: string, open: () => FileSource): FileSource => {
    const source = opened.get(path) ?? open()
    opened.set(path, source)
    return source
  }

  /**
   * A published tree is read at the place of its version, not through the link that is switched: what the
   * snapshot says of it and its files change at the same moment.
   */
  const realSource = ({ id, origin, release }: Tree): FileSource => {
    const { path } = origin
    if (origin.kind === 'iso') return openedAt(path, () => lazily(() => isoSource(path)))
    if (release) return openedAt(path, () => diskSource(path, { within: folder() }))
    return partOf(disk, cleanPath(`/${id}`))
  }

  const placed = (tree: Tree): Placed => ({
    tree,
    source: withTreeinfo(tree, realSource(tree), repairs),
    carried: carrier(tree.release),
  })

  /** Made anew with each snapshot; images stay as they are while a tree is in them. */
  const places = (): ReadonlyMap<CleanPath, Placed> => {
    const { all, earlier: before } = snapshot().trees
    if (made?.trees === all) return made.places
    made = { trees: all, places: new Map(all.map((tree) => [cleanPath(`/${tree.id}`), placed(tree)])) }
    const used = new Set([...all, ...before].map(({ origin }) => origin.path))
    for (const path of opened.keys()) if (!used.has(path)) opened.delete(path)
    return made.places
  }

  /** The tree that a path is in, as this client sees it, and where in there. */
  const find = (path: CleanPath, who: Requester): Found | undefined => {
    const found = treeOf(places(), path)
    const release = found?.placed.tree.release
    if (!found || !release) return found
    const version = machines.versionFor(who, release, found.inside)
    if (version === release.version) return found
    const tree = snapshot().trees.inVersion(found.placed.tree.id, { id: release.id, version })
    // Deleted by `treeboot trees gc --now` while somebody was in the middle of it.
    if (!tree) return found
    const known = earlier.get(tree) ?? placed(tree)
    earlier.set(tree, known)
    return { placed: known, inside: found.inside }
  }

  const stat: FileSource['stat'] = async (path, who) => {
    const found = find(path, who)
    if (!found) return disk.stat(path, who)
    const entry = await found.placed.source.stat(found.inside, who)
    return entry && renameEntry(found.placed.carried(entry, found.inside), baseName(path))
  }

  return {
    stat,
    async list(path, who) {
      const found = find(path, who)
      if (found) return found.placed.source.list(found.inside, who)
      const roots: Entry[] = []
      for (const [at, { tree }] of places()) {
        if (tree.origin.kind !== 'iso' || parentPath(at) !== path) continue
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
  readonly tree: Tree
  readonly source: FileSource
  /** An entry of the tree with what a client begins that fetches it. */
  readonly carried: (entry: Entry, inside: CleanPath) => Entry
}

/**
 * Files of a published tree say which version they are of, so that a client that fetched one goes on with it.
 * One object for each entry, again and again: what is cached by entry stays cached.
 */
function carrier(release: Tree['release']): Placed['carried'] {
  if (!release) return (entry) => entry
  const { id, version } = release
  const carried = new WeakMap<Entry, Entry>()
  return (entry, path) => {
    if (entry.kind !== 'file') return entry
    const known = carried.get(entry)
    if (known) return known
    const decision = { kind: 'tree-file', release: { id, version }, path } as const
    const made = { ...entry, open: () => entry.open(), decision }
    carried.set(entry, made)
    return made
  }
}

interface Found {
  readonly placed: Placed
  readonly inside: CleanPath
}

function treeOf(places: ReadonlyMap<CleanPath, Placed>, path: CleanPath): Found | undefined {
  for (let at = path; ; at = parentPath(at)) {
    const placed = places.get(at)
    if (placed) return { placed, inside: below(at, path) ?? rootPath }
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
