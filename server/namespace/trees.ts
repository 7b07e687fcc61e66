import type { Snapshot } from '../catalog/snapshot.ts'
import type { Requester } from '../core/net/requester.ts'
import type { Tree } from '../core/tree/tree.ts'
import { diskSource } from '../files/disk.ts'
import { behindLink, byName, renameEntry } from '../files/entry.ts'
import { showLink, showLinks } from '../files/hidden.ts'
import { isoSource } from '../files/iso/source.ts'
import { baseName, below, type CleanPath, cleanPath, joinPath, parentPath, rootPath } from '../files/path.ts'
import type { Entry, FileSource } from '../files/source.ts'
import type { BootMachines } from '../machines/boot-machines.ts'
import { type Repairs, withTreeinfo } from './with-treeinfo.ts'

export interface TreesParts {
  readonly snapshot: () => Pick<Snapshot, 'trees'>
  /** The files in the configured `trees/` folder. */
  readonly disk: FileSource
  /** The path of that folder now. */
  readonly folder: () => string
  readonly machines: Pick<BootMachines, 'versionFor'>
}

/**
 * The folder `trees/` as clients see it:
 *
 * - The files on disk appear as they are.
 * - The files inside of an ISO image appear in a folder beside it: those of `trees/Fedora-40.iso` at
 *   `/trees/Fedora-40/`.
 * - Each tree also has the generated files that some clients need to find it (`withTreeinfo`).
 * - A published tree appears in the version that this client sees (`versionFor`).
 */
export function treesSource({ snapshot, disk, folder, machines }: TreesParts): FileSource {
  /** Repaired descriptors, kept over all snapshots. */
  const repairs: Repairs = new WeakMap()
  /** Sources of ISO images and of published versions, by their real path. */
  const opened = new Map<string, FileSource>()
  /** The places of the last snapshot. */
  let cached: { readonly trees: readonly Tree[]; readonly places: ReadonlyMap<CleanPath, Placed> } | undefined
  /** Trees in versions that were replaced. */
  const earlierPlaces = new WeakMap<Tree, Placed>()

  const openedAt = (path: string, open: () => FileSource): FileSource => {
    const source = opened.get(path) ?? open()
    opened.set(path, source)
    return source
  }

  /**
   * The files of a tree. A published tree is read through the folder of its version, not through the public
   * symlink, so that its files and the snapshot's record of it change at the same moment.
   */
  const realSource = ({ id, origin, release }: Tree): FileSource => {
    const { path } = origin
    if (origin.kind === 'iso') return openedAt(path, () => lazily(() => isoSource(path)))
    // Links of a tree may lead to other trees.
    if (release) return openedAt(path, () => diskSource(path, { within: folder(), showLinks: true }))
    return partOf(disk, cleanPath(`/${id}`))
  }

  const placed = (tree: Tree): Placed => ({
    tree,
    source: withTreeinfo(tree, realSource(tree), repairs),
    withDecision: decisionAdder(tree.release),
  })

  /**
   * All trees by their path. Made for each new snapshot; sources of images and versions stay open while they
   * are used.
   */
  const places = (): ReadonlyMap<CleanPath, Placed> => {
    const { all, earlier } = snapshot().trees
    if (cached?.trees === all) return cached.places
    cached = { trees: all, places: new Map(all.map((tree) => [cleanPath(`/${tree.id}`), placed(tree)])) }
    const used = new Set([...all, ...earlier].map(({ origin }) => origin.path))
    for (const path of opened.keys()) if (!used.has(path)) opened.delete(path)
    return cached.places
  }

  /** The tree that holds a path, in the version that this client sees, and the path inside of it. */
  const find = (path: CleanPath, who: Requester): Found | undefined => {
    const found = treeOf(places(), path)
    const release = found?.placed.tree.release
    if (!found || !release) return found
    const version = machines.versionFor(who, release, found.inside)
    if (version === release.version) return found
    const tree = snapshot().trees.inVersion(found.placed.tree.id, { id: release.id, version })
    // `treeboot trees gc --now` has deleted the version from which this client is fetching: it gets the current
    // version.
    if (!tree) return found
    const earlier = earlierPlaces.get(tree) ?? placed(tree)
    earlierPlaces.set(tree, earlier)
    return { placed: earlier, inside: found.inside }
  }

  const stat: FileSource['stat'] = async (path, who) => {
    const found = find(path, who)
    if (!found) return disk.stat(path, who)
    // A tree's own name is a folder, also where a symlink is on the disk: which version it leads to differs from
    // client to client.
    const entry = await found.placed.source.stat(found.inside, who)
    return entry && renameEntry(found.placed.withDecision(entry, found.inside), baseName(path))
  }

  return {
    stat,
    async list(path, who) {
      const found = find(path, who)
      const isTree = (name: string): boolean => places().has(joinPath(path, name))
      if (found) return asFolders(await found.placed.source.list(found.inside, who), isTree)
      const roots: Entry[] = []
      for (const [at, { tree }] of places()) {
        if (tree.origin.kind !== 'iso' || parentPath(at) !== path) continue
        // One damaged image must not hide its neighbours. A request for the image's folder fails with the
        // reason.
        const root = await stat(at, who).catch(() => undefined)
        if (root) roots.push(root)
      }
      const listed = asFolders(await disk.list(path, who), isTree)
      return roots.length === 0 ? listed : [...(listed ?? []), ...roots].sort(byName)
    },
  }
}

/** A tree with the source of its files, as clients see them. */
interface Placed {
  readonly tree: Tree
  readonly source: FileSource
  /** Adds to a file's entry the decision that tells which version was fetched. */
  readonly withDecision: (entry: Entry, inside: CleanPath) => Entry
}

/**
 * Marks the files of a published tree with their version, so that a client that fetched one file keeps seeing
 * that version. The same entry always gives the same marked object, so that what is cached by entry stays
 * cached.
 */
function decisionAdder(release: Tree['release']): Placed['withDecision'] {
  if (!release) return (entry) => entry
  const { id, version } = release
  const marked = new WeakMap<Entry, Entry>()
  return (entry, path) => {
    if (entry.kind !== 'file') return entry
    const before = marked.get(entry)
    if (before) return before
    const decision = { kind: 'tree-file', release: { id, version }, path } as const
    // `open` may be a method of a class, which a spread does not copy.
    const result = { ...entry, open: () => entry.open(), decision }
    marked.set(entry, result)
    return result
  }
}

interface Found {
  readonly placed: Placed
  /** The path inside of the tree. */
  readonly inside: CleanPath
}

function treeOf(places: ReadonlyMap<CleanPath, Placed>, path: CleanPath): Found | undefined {
  for (let at = path; ; at = parentPath(at)) {
    const placed = places.get(at)
    if (placed) return { placed, inside: below(at, path) ?? rootPath }
    if (at === rootPath) return undefined
  }
}

/** A listing in which trees are folders, whatever they are on the disk. The same list when none is a symlink. */
function asFolders(
  entries: readonly Entry[] | undefined,
  isTree: (name: string) => boolean,
): readonly Entry[] | undefined {
  const isLinked = ({ name, target }: Entry): boolean => target !== undefined && isTree(name)
  return entries?.some(isLinked)
    ? entries.map((entry) => (isLinked(entry) ? behindLink(entry) : entry))
    : entries
}

/** A source that begins at a folder of another source. Symlinks that lead above it are not shown as links. */
function partOf(source: FileSource, at: CleanPath): FileSource {
  if (at === rootPath) return source
  const isShown = (to: CleanPath | undefined): boolean => to !== undefined
  return {
    async stat(path, who) {
      const entry = await source.stat(joinPath(at, path), who)
      if (!entry || path === rootPath) return entry && behindLink(entry)
      return showLink(entry, parentPath(path), isShown)
    },
    async list(path, who) {
      const entries = await source.list(joinPath(at, path), who)
      return entries && showLinks(entries, path, isShown)
    },
  }
}

/** A source that opens at the first request. When opening fails, the next request tries again. */
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
