import type { Config } from '../config/schema.ts'
import type { Profile } from '../core/guest/guest.ts'
import type { GuestIndex } from '../core/guest/match.ts'
import type { Selector } from '../core/guest/selectors.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { TreeIndex } from '../core/select/select.ts'
import type { Tree } from '../core/tree/tree.ts'

/**
 * Everything that was read up to one moment: configuration, trees, templates. A snapshot is frozen, and a
 * change replaces it as a whole. A request takes the snapshot once and uses it to its end, so it never sees
 * two different states.
 */
export interface Snapshot {
  /** Counts up by one with every replacement. */
  readonly generation: number
  readonly config: Config
  /** Every tree in every state; `TreeIndex.select` offers only the ready ones. */
  readonly trees: TreeIndex
  readonly guests: GuestIndex
  readonly profiles: ReadonlyMap<string, Profile>
  /** Which profiles unknown machines get. */
  readonly selectors: readonly Selector[]
  /** Answer-file templates and snippets: path below the templates folder -> source text. */
  readonly templates: ReadonlyMap<string, string>
  /**
   * Everything an operator should know: a broken tree, a guest whose tree or template is missing, a file that
   * cannot be read.
   */
  readonly problems: readonly SnapshotProblem[]
}

/** How many trees are in each state. */
export function treeCounts({ trees }: Pick<Snapshot, 'trees'>): Record<Tree['state'], number> {
  const counts = { incoming: 0, verifying: 0, ready: 0, broken: 0 }
  for (const tree of trees.all) counts[tree.state]++
  return counts
}
