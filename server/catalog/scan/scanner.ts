import { dirname } from 'node:path'
import { groupBy } from '../../core/group-by.ts'
import { imageStem } from '../../core/tree/names.ts'
import type { Tree } from '../../core/tree/tree.ts'
import { stampOf } from '../../files/listing-source.ts'
import { childId, type Discovery, discover, findLocation, type TreeLocation } from './discover.ts'
import { readTree } from './read-tree.ts'
import { TrackedTree, type TrackingContext } from './tracked-tree.ts'

/**
 * Finds and keeps all trees below one folder. Callers say where to look: it has no watcher and no timer of
 * its own. Looks run one after the other.
 */
export class TreeScanner {
  readonly #context: TrackingContext
  readonly #trees = new Map<string, TrackedTree>()
  /** Folders that were searched for trees and are not trees themselves, by id. */
  readonly #searched = new Map<string, TreeLocation>()
  #notes: readonly string[] = []
  #started = false
  #lastLook: Promise<unknown> = Promise.resolve()

  constructor(context: TrackingContext) {
    this.#context = context
  }

  /** The trees in every state, sorted by id. */
  get trees(): readonly Tree[] {
    return [...this.#trees.values()].map(({ tree }) => tree).sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** For people: what could not be searched, and why. */
  get notes(): readonly string[] {
    return this.#notes
  }

  get hasUnsettled(): boolean {
    for (const tree of this.#trees.values()) if (tree.isUnsettled) return true
    return false
  }

  /** Looks at everything. A tree that did not change since the last time costs a few `stat` calls. */
  scan(): Promise<void> {
    return this.#exclusively(async () => {
      const discovery = await this.#search({ id: '.', diskPath: this.#context.folder })
      this.#notes = discovery.notes
      this.#started = true
    })
  }

  /**
   * Looks at places that changed. `changes` maps the real path of a folder to the names in it that changed,
   * '' for an unknown name.
   */
  lookAtChanges(changes: ReadonlyMap<string, ReadonlySet<string>>): Promise<void> {
    return this.#exclusively(async () => {
      const treesAbove = new Map<string, Promise<boolean>>()
      for (const id of [...this.#idsConcernedBy(changes)].sort()) await this.#refresh(id, treesAbove)
    })
  }

  /** Looks at these ids, whether a tree was known there or not. */
  lookAtIds(ids: readonly string[]): Promise<void> {
    return this.#exclusively(async () => {
      const treesAbove = new Map<string, Promise<boolean>>()
      for (const id of [...ids].sort()) await this.#refresh(id, treesAbove)
    })
  }

  /** Looks at the trees that are, or may be, still being copied. */
  lookAtUnsettled(): Promise<void> {
    return this.#exclusively(async () => {
      for (const tree of [...this.#trees.values()])
        if (tree.isUnsettled) await this.#refresh(tree.location.id)
    })
  }

  /** Judges the trees of these files again: their digests became known. Files are given by real path. */
  takeDigests(files: ReadonlySet<string>): Promise<void> {
    return this.#exclusively(async () => {
      for (const tree of [...this.#trees.values()]) {
        if (![...tree.reading.files.values()].some((stamp) => stamp && files.has(stamp.file))) continue
        if (await tree.look()) tree.judge()
        else await this.#refresh(tree.location.id)
      }
    })
  }

  /** The folders to watch while no copy runs, real path -> inode: a change in them may concern a tree. */
  async foldersToWatch(): Promise<Map<string, number>> {
    const folders = new Map<string, number>()
    for (const { diskPath } of this.#searched.values()) {
      const stamp = await stampOf(diskPath)
      if (stamp?.folder) folders.set(diskPath, stamp.inode)
    }
    const parents = new Set<string>()
    for (const { reading } of this.#trees.values())
      for (const stamp of reading.seen) {
        if (stamp.folder) folders.set(stamp.file, stamp.inode)
        else parents.add(dirname(stamp.file))
      }
    for (const folder of parents) {
      if (folders.has(folder)) continue
      const stamp = await stampOf(folder)
      if (stamp?.folder) folders.set(folder, stamp.inode)
    }
    return folders
  }

  close(): Promise<void> {
    return this.#exclusively(async () => {
      for (const tree of this.#trees.values()) tree.close()
      this.#trees.clear()
    })
  }

  /** Runs one look at a time: looks change the same maps, and wait for the disk in between. */
  #exclusively<T>(look: () => Promise<T>): Promise<T> {
    const result = this.#lastLook.then(look)
    this.#lastLook = result.catch(() => undefined)
    return result
  }

  /**
   * The ids of trees that the changes may concern. At the start every folder counts as changed, ten thousand
   * for a thousand trees, so trees are looked up by path.
   */
  #idsConcernedBy(changes: ReadonlyMap<string, ReadonlySet<string>>): ReadonlySet<string> {
    // Several ids may lead to one folder or image.
    const byDiskPath = ({ diskPath }: TreeLocation): [string] => [diskPath]
    const trees = groupBy(
      [...this.#trees.values()].map(({ location }) => location),
      byDiskPath,
    )
    const searched = groupBy(this.#searched.values(), byDiskPath)
    const idsOf = ([folder, names]: readonly [string, ReadonlySet<string>]): string[] => {
      const around = this.#withFoldersAbove(folder).flatMap((above) => trees.get(above) ?? [])
      const below = (searched.get(folder) ?? []).flatMap(({ id }) =>
        [...names].flatMap((name) => idsOfName(id, name)),
      )
      return [...around.map(({ id }) => id), ...below]
    }
    return new Set([...changes].flatMap(idsOf))
  }

  /** The folder and all above it, up to `trees/`. */
  #withFoldersAbove(folder: string): readonly string[] {
    const folders: string[] = []
    for (let at = folder; at.length >= this.#context.folder.length; at = dirname(at)) {
      folders.push(at)
      if (at === dirname(at)) break
    }
    return folders
  }

  /**
   * Looks at one id again.
   *
   * @param treesAbove By id, whether a folder above has become a tree. It is filled during one round, since
   *   many changes may lie below one folder. Default: a round of its own.
   */
  async #refresh(id: string, treesAbove = new Map<string, Promise<boolean>>()): Promise<void> {
    const tree = this.#trees.get(id)
    // After a switch to another version, the folder of the old version is unchanged: so the place is checked,
    // too.
    if (tree && (await this.#isInPlace(tree)) && (await tree.look())) return
    // A file that arrived below a folder may have made a tree of a folder above it.
    const above = await this.#newTreeAbove(id, treesAbove)
    if (above) {
      await this.#search(above)
      return
    }
    // Nothing inside a tree is a tree of its own.
    if (idsAbove(id).some((each) => this.#trees.has(each))) return
    const location = await findLocation(this.#context.folder, id)
    // Nothing is there any more: no tree, and no folder that could be searched.
    if (!location) return this.#replace(id, new Map(), [])
    const { notes } = await this.#search(location)
    // The next scan of everything removes the notes that are no longer true.
    this.#notes = [...new Set([...this.#notes, ...notes])]
  }

  async #newTreeAbove(
    id: string,
    treesAbove: Map<string, Promise<boolean>>,
  ): Promise<TreeLocation | undefined> {
    for (const above of idsAbove(id)) {
      const location = this.#searched.get(above)
      if (!location) continue
      let isTree = treesAbove.get(above)
      if (!isTree) {
        isTree = readTree(location, this.#context.folder).then((reading) => reading !== undefined)
        treesAbove.set(above, isTree)
      }
      if (await isTree) return location
    }
    return undefined
  }

  async #search(start: TreeLocation): Promise<Discovery> {
    const found = new Map<string, TrackedTree>()
    const notes: string[] = []
    const discovery = await discover(this.#context.folder, start, async (location) => {
      const tree = await this.#treeAt(location, (why) => notes.push(`trees/${location.id}: ${why}`))
      if (tree) found.set(location.id, tree)
      return tree !== undefined
    })
    this.#replace(start.id, found, discovery.searched)
    return { ...discovery, notes: [...discovery.notes, ...notes] }
  }

  async #treeAt(location: TreeLocation, onTrouble: (why: string) => void): Promise<TrackedTree | undefined> {
    const tracked = this.#trees.get(location.id)
    if (tracked && isSameLocation(tracked.location, location) && (await tracked.look())) return tracked
    const reading = await readTree(location, this.#context.folder, onTrouble)
    const atStart = !this.#started
    return reading && TrackedTree.create(location, reading, this.#context, atStart)
  }

  /** Replaces the trees and searched folders at and below an id by those that were found there now. */
  #replace(id: string, found: ReadonlyMap<string, TrackedTree>, searched: readonly TreeLocation[]): void {
    for (const [oldId, tree] of this.#trees)
      if (isAtOrBelow(id, oldId) && found.get(oldId) !== tree) {
        tree.close()
        this.#trees.delete(oldId)
      }
    for (const oldId of this.#searched.keys()) if (isAtOrBelow(id, oldId)) this.#searched.delete(oldId)
    for (const [newId, tree] of found) this.#trees.set(newId, tree)
    for (const location of searched) this.#searched.set(location.id, location)
    this.#dropInnerLinks()
  }

  /**
   * Forgets symlinks into trees. A symlink to a folder inside a tree is not a tree, whatever it holds:
   * `kernel -> fedora-40/images/pxeboot`.
   */
  #dropInnerLinks(): void {
    const folders = new Set([...this.#trees.values()].map(({ location }) => location.diskPath))
    for (const [id, tree] of this.#trees) {
      // A symlink to an image is a tree, wherever in `trees/` the image lies.
      if (tree.location.image !== undefined) continue
      let above = dirname(tree.location.diskPath)
      while (above.length > this.#context.folder.length && !folders.has(above)) above = dirname(above)
      if (above.length <= this.#context.folder.length) continue
      tree.close()
      this.#trees.delete(id)
    }
  }

  /** Whether the tree is still at its id. A folder, another image or another version may have replaced it. */
  async #isInPlace({ location }: TrackedTree): Promise<boolean> {
    const now = await findLocation(this.#context.folder, location.id)
    return now !== undefined && isSameLocation(now, location)
  }
}

function isSameLocation(a: TreeLocation, b: TreeLocation): boolean {
  return a.diskPath === b.diskPath && a.image === b.image
}

/** The ids that a changed name in a searched folder may concern: `x.iso` is the image of `x`. */
function idsOfName(parent: string, name: string): string[] {
  if (name === '') return [parent]
  const stem = imageStem(name)
  return stem === undefined ? [childId(parent, name)] : [childId(parent, name), childId(parent, stem)]
}

/** The ids of all folders above an id: `a/b/c` -> `.`, `a`, `a/b`. */
function idsAbove(id: string): string[] {
  if (id === '.') return []
  const parts = id.split('/')
  return ['.', ...parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'))]
}

function isAtOrBelow(above: string, id: string): boolean {
  return above === '.' || id === above || id.startsWith(`${above}/`)
}
