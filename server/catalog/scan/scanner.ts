import { dirname } from 'node:path'
import { imageStem } from '../../core/tree/names.ts'
import type { Tree } from '../../core/tree/tree.ts'
import { stampOf } from '../../files/listing-source.ts'
import { childId, type Discovery, discover, type Place, placeOf } from './discover.ts'
import { readTree } from './read-tree.ts'
import { TrackedTree, type Tracking } from './tracked-tree.ts'

/**
 * All trees below one folder. Looks where it is told to look, one job after the other, and knows afterwards what is
 * there; it has no watcher and no timer of its own.
 */
export class TreeScanner {
  readonly #tracking: Tracking
  readonly #trees = new Map<string, TrackedTree>()
  /** Folders that are no tree, by id. */
  readonly #searched = new Map<string, Place>()
  #notes: readonly string[] = []
  #started = false
  #job: Promise<unknown> = Promise.resolve()

  constructor(tracking: Tracking) {
    this.#tracking = tracking
  }

  /** In every state, sorted by id. */
  get trees(): readonly Tree[] {
    return [...this.#trees.values()].map(({ tree }) => tree).sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** What could not be searched, and why. */
  get notes(): readonly string[] {
    return this.#notes
  }

  get hasUnsettled(): boolean {
    for (const tree of this.#trees.values()) if (tree.isUnsettled) return true
    return false
  }

  /** Looks at everything. What did not change since the last time costs a few `stat` calls. */
  scan(): Promise<void> {
    return this.#exclusively(async () => {
      const discovery = await this.#search({ id: '.', folder: this.#tracking.folder })
      this.#notes = discovery.notes
      this.#started = true
    })
  }

  /** Looks where something happened: a real folder, and the name in it if known. */
  lookAt(happened: ReadonlyMap<string, ReadonlySet<string>>): Promise<void> {
    return this.#exclusively(async () => {
      const ids = new Set<string>()
      // At start every folder is looked at once more, ten thousand for a thousand trees: found by their paths.
      const trees = byFolder([...this.#trees.values()].map(({ place }) => place))
      const searched = byFolder([...this.#searched.values()])
      for (const [folder, names] of happened) {
        for (let above = folder; above.length >= this.#tracking.folder.length; above = dirname(above)) {
          for (const place of trees.get(above) ?? []) ids.add(place.id)
          if (above === dirname(above)) break
        }
        for (const place of searched.get(folder) ?? [])
          for (const name of names) {
            ids.add(name ? childId(place.id, name) : place.id)
            const stem = imageStem(name)
            if (stem !== undefined) ids.add(childId(place.id, stem))
          }
      }
      const judged = new Map<string, Promise<boolean>>()
      for (const id of [...ids].sort()) await this.#refresh(id, judged)
    })
  }

  /** Looks at the trees that a copy is or may be working on. */
  lookAtUnsettled(): Promise<void> {
    return this.#exclusively(async () => {
      for (const tree of [...this.#trees.values()])
        if (tree.isUnsettled) await this.#refresh(tree.place.id, new Map())
    })
  }

  /** Digests of these files, by real path, became known. */
  digestsKnown(files: ReadonlySet<string>): Promise<void> {
    return this.#exclusively(async () => {
      for (const tree of [...this.#trees.values()]) {
        if (![...tree.reading.files.values()].some((stamp) => stamp && files.has(stamp.file))) continue
        if (await tree.look()) tree.judge()
        else await this.#refresh(tree.place.id, new Map())
      }
    })
  }

  /** Real path -> inode of every folder in which a change may concern us while no copy runs. */
  async foldersToWatch(): Promise<Map<string, number>> {
    const folders = new Map<string, number>()
    for (const { folder } of this.#searched.values()) {
      const stamp = await stampOf(folder)
      if (stamp?.folder) folders.set(folder, stamp.inode)
    }
    const missing = new Set<string>()
    for (const { reading } of this.#trees.values())
      for (const stamp of reading.seen) {
        if (stamp.folder) folders.set(stamp.file, stamp.inode)
        else missing.add(dirname(stamp.file))
      }
    for (const folder of missing) {
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

  /** Jobs change the same maps, and one that waits for the disk must not meet another's half-made changes. */
  #exclusively<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#job.then(job)
    this.#job = result.catch(() => undefined)
    return result
  }

  /** @param judged Folders found to be a tree or none in this round: many names may have happened below one folder. */
  async #refresh(id: string, judged: Map<string, Promise<boolean>>): Promise<void> {
    const known = this.#trees.get(id)
    // A link that was switched to another version leads elsewhere, while the old folder is still as it was.
    if (known && (await this.#isInPlace(known)) && (await known.look())) return
    // A file that arrived below a folder may have made a tree of a folder above it.
    for (const above of idsAbove(id)) {
      const place = this.#searched.get(above)
      if (!place) continue
      let isTree = judged.get(above)
      if (!isTree) {
        isTree = readTree(place, this.#tracking.folder).then((reading) => reading !== undefined)
        judged.set(above, isTree)
      }
      if (!(await isTree)) continue
      await this.#search(place)
      return
    }
    if (idsAbove(id).some((above) => this.#trees.has(above))) return
    const place = await placeOf(this.#tracking.folder, id)
    if (!place) return this.#replace(id, new Map(), [])
    const { notes } = await this.#search(place)
    // What no longer holds goes with the next scan of everything.
    this.#notes = [...new Set([...this.#notes, ...notes])]
  }

  async #search(start: Place): Promise<Discovery> {
    const found = new Map<string, TrackedTree>()
    const notes: string[] = []
    const discovery = await discover(this.#tracking.folder, start, async (place) => {
      const tree = await this.#treeAt(place, (why) => notes.push(`trees/${place.id}: ${why}`))
      if (tree) found.set(place.id, tree)
      return tree !== undefined
    })
    this.#replace(start.id, found, discovery.searched)
    return { ...discovery, notes: [...discovery.notes, ...notes] }
  }

  async #treeAt(place: Place, onTrouble: (why: string) => void): Promise<TrackedTree | undefined> {
    const known = this.#trees.get(place.id)
    if (known && isSamePlace(known.place, place) && (await known.look())) return known
    const reading = await readTree(place, this.#tracking.folder, onTrouble)
    return reading && TrackedTree.meet(place, reading, this.#tracking, !this.#started)
  }

  /** What is known at and below an id becomes what was found there. */
  #replace(id: string, found: ReadonlyMap<string, TrackedTree>, searched: readonly Place[]): void {
    for (const [known, tree] of this.#trees)
      if (isAtOrBelow(id, known) && found.get(known) !== tree) {
        tree.close()
        this.#trees.delete(known)
      }
    for (const known of this.#searched.keys()) if (isAtOrBelow(id, known)) this.#searched.delete(known)
    for (const [at, tree] of found) this.#trees.set(at, tree)
    for (const place of searched) this.#searched.set(place.id, place)
    this.#dropInnerLinks()
  }

  /** A symlink to a folder inside a tree is no tree, whatever lies there: `kernel -> fedora-40/images/pxeboot`. */
  #dropInnerLinks(): void {
    const folders = new Set([...this.#trees.values()].map(({ place }) => place.folder))
    for (const [id, tree] of this.#trees) {
      if (tree.place.image !== undefined) continue
      let above = dirname(tree.place.folder)
      while (above.length > this.#tracking.folder.length && !folders.has(above)) above = dirname(above)
      if (above.length <= this.#tracking.folder.length) continue
      tree.close()
      this.#trees.delete(id)
    }
  }

  /** A folder that appeared where the files of an image were, or another image, takes its place. */
  async #isInPlace({ place }: TrackedTree): Promise<boolean> {
    const now = await placeOf(this.#tracking.folder, place.id)
    return now !== undefined && isSamePlace(now, place)
  }
}

/** By their real path; several names may lead to one. */
function byFolder(places: readonly Place[]): ReadonlyMap<string, readonly Place[]> {
  const found = new Map<string, Place[]>()
  for (const place of places) {
    const same = found.get(place.folder)
    if (same) same.push(place)
    else found.set(place.folder, [place])
  }
  return found
}

function isSamePlace(a: Place, b: Place): boolean {
  return a.folder === b.folder && a.image === b.image
}

/** `a/b/c` -> `.`, `a`, `a/b`. */
function idsAbove(id: string): string[] {
  if (id === '.') return []
  const parts = id.split('/')
  return ['.', ...parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'))]
}

function isAtOrBelow(id: string, other: string): boolean {
  return id === '.' || other === id || other.startsWith(`${id}/`)
}
