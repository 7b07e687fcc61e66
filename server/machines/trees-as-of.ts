import { LRUCache } from 'lru-cache'
import type { TreeIndex } from '../core/select/select.ts'

/** Tree indexes kept for each snapshot. Clients that still see earlier versions mostly see the same few. */
const mostIndexes = 16

const kept = new WeakMap<TreeIndex, LRUCache<string, TreeIndex>>()

/**
 * The trees as a client sees them that still sees these versions (by id of the published tree). Indexing a
 * thousand trees takes milliseconds, and after a publication many machines ask with the same versions: so the
 * results are kept as long as the snapshot's trees.
 */
export function treesAsOf(trees: TreeIndex, versions: ReadonlyMap<string, number>): TreeIndex {
  const earlier = trees.otherVersions(versions)
  if (earlier.size === 0) return trees
  const indexes = kept.get(trees) ?? new LRUCache<string, TreeIndex>({ max: mostIndexes })
  kept.set(trees, indexes)
  const key = JSON.stringify([...earlier].sort())
  const index = indexes.get(key) ?? trees.asOf(earlier)
  indexes.set(key, index)
  return index
}
