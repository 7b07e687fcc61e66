import { LRUCache } from 'lru-cache'
import type { TreeIndex } from '../core/select/select.ts'

/** Mixtures of versions that are kept for each snapshot. Mostly all clients of an earlier version see the same few. */
const mostMixtures = 16

const kept = new WeakMap<TreeIndex, LRUCache<string, TreeIndex>>()

/**
 * The trees for a client that goes on seeing these versions, by id of the release. Arranging a thousand trees takes
 * milliseconds, and after a publication many machines ask with the same versions, so the results are kept as long as
 * the snapshot's trees.
 */
export function treesAsOf(trees: TreeIndex, versions: ReadonlyMap<string, number>): TreeIndex {
  const others = trees.otherVersions(versions)
  if (others.size === 0) return trees
  const known = kept.get(trees) ?? new LRUCache<string, TreeIndex>({ max: mostMixtures })
  kept.set(trees, known)
  const key = JSON.stringify([...others].sort())
  const mixture = known.get(key) ?? trees.asOf(others)
  known.set(key, mixture)
  return mixture
}
