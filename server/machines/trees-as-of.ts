import type { LRUCache } from 'lru-cache'
import type { TreeIndex } from '../core/select/select.ts'
import { lru } from '../host/lru.ts'

/** How many tree indexes are kept for each snapshot. Clients mostly share a few earlier versions. */
const mostIndexes = 16

const indexesByTrees = new WeakMap<TreeIndex, LRUCache<string, TreeIndex>>()

/**
 * The trees for a client that still sees these versions (by id of the published tree). Indexing a thousand
 * trees takes milliseconds, and after a publication many machines ask with the same versions. So the results
 * are kept as long as the snapshot's trees.
 */
export function treesAsOf(trees: TreeIndex, versions: ReadonlyMap<string, number>): TreeIndex {
  const earlier = trees.otherVersions(versions)
  if (earlier.size === 0) return trees
  const indexes = indexesByTrees.get(trees) ?? lru<string, TreeIndex>(mostIndexes)
  indexesByTrees.set(trees, indexes)
  const key = JSON.stringify([...earlier].sort())
  const index = indexes.get(key) ?? trees.asOf(earlier)
  indexes.set(key, index)
  return index
}
