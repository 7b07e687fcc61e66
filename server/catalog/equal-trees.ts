import { groupBy } from '../core/group-by.ts'
import { type Guest, lineIn } from '../core/guest/guest.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { TreeIndex } from '../core/select/select.ts'
import { type Tie, tieOf } from '../core/select/ties.ts'
import type { Tree } from '../core/tree/tree.ts'
import { affectedGuests } from './affected-guests.ts'

/** How many trees a message names beside the one that is taken. */
const mostRivals = 5

/**
 * Selectors that several trees fit equally well: one warning for each place where such a selector is written, however
 * many guests inherit it.
 */
export function equalTreesProblems(trees: TreeIndex, guests: readonly Guest[]): SnapshotProblem[] {
  const bySelector = groupBy(guests, ({ settings: { tree } }) =>
    tree === undefined || 'id' in tree.value ? [] : [`${tree.from}\n${JSON.stringify(tree.value)}`],
  )
  return [...bySelector.values()].flatMap((some) => {
    const wanted = some[0]?.settings.tree
    if (!wanted || 'id' in wanted.value) return []
    const tie = tieOf(wanted.value, trees.select(wanted.value))
    const names = some.map(({ name }) => name)
    return tie ? [equalTrees(wanted.from, tie, names)] : []
  })
}

function equalTrees(from: string, { taken, rivals, why }: Tie, guests: readonly string[]): SnapshotProblem {
  const named = rivals.slice(0, mostRivals).map(({ id }) => id)
  const more = rivals.length - named.length
  const others =
    more > 0
      ? `${named.join(', ')} and ${more} more fit`
      : `${named.join(', ')} fit${rivals.length === 1 ? 's' : ''}`
  return {
    severity: 'warning',
    where: lineIn(from),
    message: `${from}: tree ${taken.id} is taken because ${why}; ${others} equally well${affectedGuests(guests)}`,
    remedy: `to choose for good, write "tree: ${taken.id}"${narrower(taken, rivals)}`,
  }
}

/** The traits in which all rivals differ from the tree: any of them, added to the selector, settles it. */
function narrower(taken: Tree, rivals: readonly Tree[]): string {
  const traits = (['arch', 'variant'] as const).filter(
    (trait) => taken[trait] !== '' && rivals.every((rival) => rival[trait] !== taken[trait]),
  )
  return traits.map((trait) => `, or add ${trait}: ${JSON.stringify(taken[trait])}`).join('')
}
