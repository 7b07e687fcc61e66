import { basename, join, relative } from 'node:path'
import type { Release, Tree } from '../../core/tree/tree.ts'
import { stampOf } from '../../files/listing-source.ts'
import { contentOf } from '../../versions/public-link.ts'
import { readRecord } from '../../versions/record.ts'
import type { TreeLocation } from './discover.ts'
import { readTree } from './read-tree.ts'
import { treeOf } from './tracked-tree.ts'

/**
 * How many earlier versions of one tree are kept in memory. Hardly any machine installs from an older one.
 */
const maxKept = 64

/**
 * Trees of published versions that were replaced by other versions and are still on the disk: a machine that
 * installs from such a version still sees its tree.
 */
export class EarlierTrees {
  #kept: readonly Tree[] = []

  get all(): readonly Tree[] {
    return this.#kept
  }

  /**
   * Keeps the trees whose version was replaced. Only ready trees are kept, since no machine can have begun to
   * install from another.
   */
  keepReplaced(before: readonly Tree[], after: readonly Tree[]): void {
    const current = new Map(after.map((tree) => [tree.id, tree]))
    for (const tree of before) {
      const next = current.get(tree.id)?.release
      if (tree.state === 'ready' && next && tree.release && !isSameRelease(tree.release, next)) this.add(tree)
    }
  }

  add(tree: Tree): void {
    const others = this.#kept.filter((each) => each.id !== tree.id)
    const versions = this.#kept.filter(
      (each) =>
        each.id === tree.id && !(each.release && tree.release && isSameRelease(each.release, tree.release)),
    )
    this.#kept = [...others, ...versions.slice(1 - maxKept), tree]
  }

  /** Forgets versions that `treeboot trees gc` has deleted. */
  async prune(): Promise<void> {
    const stamps = await Promise.all(this.#kept.map(({ origin }) => stampOf(origin.path)))
    const remaining = this.#kept.filter((_, index) => stamps[index] !== undefined)
    if (remaining.length < this.#kept.length) this.#kept = remaining
  }
}

function isSameRelease(a: Release, b: Release): boolean {
  return a.id === b.id && a.version === b.version
}

/**
 * Reads an earlier version of a tree; undefined when that version is not on the disk any more.
 *
 * @param treesFolder Real path of `trees/`.
 * @param current The same tree in its current version.
 */
export async function readEarlierTree(
  treesFolder: string,
  current: Tree,
  { id, version }: Pick<Release, 'id' | 'version'>,
): Promise<Tree | undefined> {
  const record = await readRecord(treesFolder, id, version)
  if (!record) return undefined
  const content = contentOf(treesFolder, id, version, record.kind)
  // Below one release there may be several trees: EL's `BaseOS/x86_64/os` and `AppStream/x86_64/os`. A tree of
  // another release is now under its own id, so the release that is asked for was this tree alone.
  const inside =
    current.origin.kind === 'folder' && current.release?.id === id
      ? relative(current.release.folder, current.origin.path)
      : ''
  const location: TreeLocation =
    record.kind === 'iso'
      ? { id: current.id, diskPath: content, image: basename(content) }
      : { id: current.id, diskPath: join(content, inside) }
  const reading = await readTree(location, treesFolder)
  // A version was verified before it was published.
  return reading && treeOf(location, reading, { state: 'ready', reasons: [] })
}
