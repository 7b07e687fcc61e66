import { distroName, parseDistro } from '../distro/distro.ts'
import type { Tree } from '../tree/tree.ts'
import type { IndexedTree, Traits, TraitTest } from './traits.ts'

/** Why no tree was selected, in one line for the operator. */

/**
 * Names the first trait that no tree has together with the traits asked for before it, and the values that
 * ready trees have.
 */
export function whyNone(
  tests: readonly TraitTest[],
  best: readonly IndexedTree[],
  scores: Uint16Array,
): string {
  if (best.length === 0) return 'there are no trees yet'
  // The first test has the highest bit of a score, see `scoresByTests`.
  const passesFirst = (score: number, count: number) => score >> (tests.length - count) === 2 ** count - 1
  const distinct = [...new Set(scores)]
  const at = tests.findIndex((_, test) => !distinct.some((score) => passesFirst(score, test + 1)))
  const unmet = tests[at]
  if (!unmet) return 'no tree fits'
  const values = new Set<string>()
  for (const [place, { tree }] of best.entries())
    if (tree.state === 'ready' && passesFirst(scores[place] ?? 0, at)) values.add(traitOf(tree, unmet.trait))
  values.delete('')
  const before = tests.slice(0, at).map(({ wanted }) => wanted)
  const subject = before.length > 0 ? ` of ${before.join(' ')}` : ''
  const wanted = `${unmet.trait} ${JSON.stringify(unmet.wanted)}${isUnknownName(unmet) ? ' (not a name we know)' : ''}`
  return `no tree${subject} has ${wanted}${alternatives(values)}`
}

function isUnknownName({ trait, wanted }: TraitTest): boolean {
  return trait === 'distro' && parseDistro(wanted) === undefined
}

function alternatives(values: ReadonlySet<string>): string {
  if (values.size === 0) return ''
  const some = [...values].slice(0, 6).join(', ')
  return `; there is ${some}${values.size > 6 ? ', ...' : ''}`
}

function traitOf(tree: Tree, trait: keyof Traits): string {
  return trait === 'distro' && tree.distro === 'other' ? tree.family : tree[trait]
}

/** A tree that was asked for and is not offered now, with the reason. */
export function whyNotReady(tree: Tree): string {
  const reason = tree.reasons[0] === undefined ? '' : `: ${tree.reasons[0]}`
  const words = [tree.distro === 'other' ? tree.family : distroName(tree.distro), tree.version, tree.arch]
  const state = {
    incoming: 'still incoming',
    verifying: 'still being verified',
    broken: 'broken',
    ready: 'ready',
  }
  return `${words.filter(Boolean).join(' ')} (${tree.id}) is ${state[tree.state]}${reason}`
}
