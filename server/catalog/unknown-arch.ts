import { groupBy } from '../core/group-by.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { TreeIndex } from '../core/select/select.ts'
import { bootablePlatforms, mainPlatform } from '../core/tree/boot-files.ts'
import { howToTellArch } from '../core/tree/kernel-arch.ts'
import type { Tree } from '../core/tree/tree.ts'

/** How many guests a message names. */
const mostNamed = 5

/**
 * Ready trees that boot, and of which nothing tells for which machines: each with the guests that would be sent there,
 * whatever their processor is. Such a tree is in no menu of a machine that tells its own.
 */
export function unknownArchProblems(trees: TreeIndex, guests: readonly Guest[]): SnapshotProblem[] {
  const unknown = trees.all.filter(
    (tree) => tree.state === 'ready' && tree.arch === '' && bootablePlatforms(tree).length > 0,
  )
  if (unknown.length === 0) return []
  const guestsOf = guestsByTree(trees, guests)
  return unknown.map((tree): SnapshotProblem => {
    return {
      severity: 'warning',
      where: `trees/${tree.id}`,
      message: `the architecture of tree ${tree.id} is not known: neither a descriptor, a path, its name nor the header of ${kernelOf(tree)} tells it${sentThere(guestsOf.get(tree.id) ?? [])}`,
      remedy: howToTellArch,
    }
  })
}

function kernelOf(tree: Tree): string {
  return tree.platforms[mainPlatform(tree) ?? '']?.kernel ?? 'its kernel'
}

function guestsByTree(trees: TreeIndex, guests: readonly Guest[]): ReadonlyMap<string, readonly string[]> {
  const treeOf = new Map<string, readonly string[]>()
  const selected = ({ settings: { tree } }: Guest): readonly string[] => {
    if (!tree) return []
    const wanted = JSON.stringify(tree.value)
    const known = treeOf.get(wanted)
    if (known) return known
    const selection = trees.select(tree.value)
    const ids = selection.found ? [selection.tree.id] : []
    treeOf.set(wanted, ids)
    return ids
  }
  const found = groupBy(guests, selected)
  return new Map([...found].map(([id, some]) => [id, some.map(({ name }) => name)]))
}

function sentThere(guests: readonly string[]): string {
  if (guests.length === 0) return ''
  const more = guests.length > mostNamed ? ` and ${guests.length - mostNamed} more` : ''
  const who = `guest${guests.length === 1 ? '' : 's'} ${guests.slice(0, mostNamed).join(', ')}${more}`
  return `; ${who} would boot it on any processor`
}
