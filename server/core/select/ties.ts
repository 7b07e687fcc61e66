import { parseDistro } from '../distro/distro.ts'
import { canonicalArch } from '../tree/arch.ts'
import type { Tree } from '../tree/tree.ts'
import type { Selection } from './select.ts'
import { compareRanks, indexTree, type Traits } from './traits.ts'

/** Trees that fit a selector as well as the one that it takes. */
export interface Tie {
  readonly taken: Tree
  /** The others, at least one, sorted as the selection does. */
  readonly rivals: readonly Tree[]
  /** What settled it, said of the taken tree. */
  readonly why: string
}

/**
 * The tie of a selection; undefined when the taken tree is the only one of its rank. Two names of one folder or
 * image, such as `latest -> fedora-41`, are no rivals: both boot the same.
 */
export function tieOf(wanted: Traits, selection: Selection): Tie | undefined {
  if (!selection.found) return undefined
  const { tree: taken, others } = selection
  const first = indexTree(taken)
  const arch = canonicalArch(wanted.arch ?? '')
  const distro = parseDistro(wanted.distro ?? '')
  const rivals: Tree[] = []
  for (const other of others) {
    const next = indexTree(other)
    const sameRank =
      compareRanks(first, next) === 0 &&
      (first.tree.distro === distro) === (other.distro === distro) &&
      (arch === '' || first.boots.has(arch) === next.boots.has(arch))
    // The best come first, so behind one of a lower rank there are none.
    if (!sameRank) break
    if (other.origin.path !== taken.origin.path) rivals.push(other)
  }
  const [rival] = rivals
  if (!rival) return undefined
  return {
    taken,
    rivals,
    why: rival.modifiedMs < taken.modifiedMs ? 'its files are newer' : 'its id comes first',
  }
}
