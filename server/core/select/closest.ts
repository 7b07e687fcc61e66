import type { Tree } from '../tree/tree.ts'
import type { IndexedTree, TraitTest } from './traits.ts'

/**
 * Which trees come closest to a request that no tree fulfils. `ranked` holds all trees as the index ranks them,
 * whatever the request: newest version first, then the better variant. `scores[place]` tells how well
 * `ranked[place]` fits the request.
 */

/** How many trees are named at most. */
export const maxClosest = 5

/** Which tests each candidate passes, as bits: the first test is the highest bit, so it counts most. */
export function scoresByTests(ranked: readonly IndexedTree[], tests: readonly TraitTest[]): Uint16Array {
  const scores = new Uint16Array(ranked.length)
  for (const [place, candidate] of ranked.entries()) {
    let score = 0
    for (const { fits } of tests) score = score * 2 + Number(fits(candidate))
    scores[place] = score
  }
  return scores
}

/**
 * How many words of a wrong id each candidate's id has. The map from words to places is made beforehand; a
 * cache by id would not help, because there are too many wrong ids.
 */
export function scoresByWords(
  id: string,
  candidateCount: number,
  places: ReadonlyMap<string, readonly number[]>,
): Uint16Array {
  const scores = new Uint16Array(candidateCount)
  for (const word of wordsOf(id))
    for (const place of places.get(word) ?? []) scores[place] = (scores[place] ?? 0) + 1
  return scores
}

/**
 * The ready trees with the highest scores, at most five. Of equal scores, the tree of the better
 * rank comes first.
 */
export function closestTrees(ranked: readonly IndexedTree[], scores: Uint16Array): Tree[] {
  const byScore = new Map<number, Tree[]>()
  for (let place = 0; place < ranked.length; place++) {
    const [tree, score] = [ranked[place]?.tree, scores[place]]
    if (!tree || !score || tree.state !== 'ready') continue
    const equals = byScore.get(score)
    if (!equals) byScore.set(score, [tree])
    else if (equals.length < maxClosest) equals.push(tree)
  }
  const highestFirst = [...byScore].sort(([a], [b]) => b - a)
  return highestFirst.flatMap(([, trees]) => trees).slice(0, maxClosest)
}

/** The words and numbers of an id, each once. */
export function wordsOf(id: string): ReadonlySet<string> {
  return new Set(id.toLowerCase().match(/[a-z]+|\d+/g))
}
