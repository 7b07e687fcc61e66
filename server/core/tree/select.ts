import type { TreeSelector } from '../guest/guest.ts'
import { canonicalArch, platformFor } from './arch.ts'
import { type Distro, distroName, parseDistro } from './distro.ts'
import type { Tree } from './tree.ts'
import { sameVariant, variantRank } from './variant.ts'
import { compareVersions, versionMatcher } from './version.ts'

export type Selection =
  | {
      readonly found: true
      readonly tree: Tree
      /** What else matched, best first: older versions, other variants. */
      readonly others: readonly Tree[]
    }
  | {
      readonly found: false
      /** One line for the operator: what was asked, why nothing fits ("fedora 41 x86_64 is still incoming"). */
      readonly why: string
      /** The closest ready trees, best first, at most five. */
      readonly nearest: readonly Tree[]
    }

/** All trees of a snapshot, arranged for looking up. */
export interface TreeIndex {
  /** Sorted by id, in every state. */
  readonly all: readonly Tree[]
  byId(id: string): Tree | undefined
  /** The ready tree that fits best: the newest version wins, then the better variant, then the newest files. */
  select(selector: TreeSelector): Selection
}

type Traits = Exclude<TreeSelector, { readonly id: string }>

/** Answers kept. Selectors come from clients, so the memory must end somewhere; it then starts anew. */
const mostAnswers = 4096

/**
 * Arranges trees for 10,000 lookups a second: sorted once, best first, so that the first that fits is the answer;
 * and an answer once found is kept, because an index never changes.
 */
export function createTreeIndex(trees: readonly Tree[]): TreeIndex {
  const all = [...trees].sort((a, b) => compareText(a.id, b.id))
  const ids = new Map(all.map((tree) => [tree.id, tree]))
  const best = [...all].sort(betterFirst)
  const answers = new Map<string, Selection>()

  return {
    all,
    byId: (id) => ids.get(stripSlashes(id)),
    select(selector) {
      const key = 'id' in selector ? `\u0001${selector.id}` : keyOf(selector)
      const known = answers.get(key)
      if (known) return known
      const answer = 'id' in selector ? selectById(selector.id, ids, best) : selectByTraits(selector, best)
      if (answers.size >= mostAnswers) answers.clear()
      answers.set(key, answer)
      return answer
    },
  }
}

function keyOf({ distro = '', version = '', variant = '', arch = '' }: Traits): string {
  return `${distro}\u0000${version}\u0000${variant}\u0000${arch}`
}

/** Newest version first; then full trees before special ones, then the newest files; the id settles the rest. */
function betterFirst(a: Tree, b: Tree): number {
  return (
    compareVersions(b.version, a.version) ||
    variantRank(a.variant) - variantRank(b.variant) ||
    Number(bootable(b)) - Number(bootable(a)) ||
    b.modifiedMs - a.modifiedMs ||
    compareText(a.id, b.id)
  )
}

function bootable(tree: Tree): boolean {
  return Object.values(tree.platforms).some(
    (images) => images.kernel !== undefined && images.initrd !== undefined,
  )
}

function selectById(id: string, ids: ReadonlyMap<string, Tree>, best: readonly Tree[]): Selection {
  const tree = ids.get(stripSlashes(id))
  if (tree?.state === 'ready') return { found: true, tree, others: [] }
  if (tree) return { found: false, why: stateOf(tree), nearest: nearestById(id, best) }
  return { found: false, why: `there is no tree ${JSON.stringify(id)}`, nearest: nearestById(id, best) }
}

function selectByTraits(wanted: Traits, best: readonly Tree[]): Selection {
  const fits = traitTests(wanted)
  const matching = best.filter((tree) => fits.every((test) => test.fits(tree)))
  const ready = matching.filter((tree) => tree.state === 'ready')
  const [tree, ...others] = preferExact(ready, wanted)
  if (tree) return { found: true, tree, others }
  return { found: false, why: whyNone(wanted, fits, matching, best), nearest: nearestByTraits(fits, best) }
}

/** `centos` also means CentOS Stream, and `sle` every SUSE Linux Enterprise; but the literal one comes first. */
function preferExact(trees: readonly Tree[], wanted: Traits): readonly Tree[] {
  const distro = wanted.distro === undefined ? undefined : parseDistro(wanted.distro)
  const exact = trees.filter((tree) => tree.distro === distro)
  return exact.length === 0 ? trees : [...exact, ...trees.filter((tree) => tree.distro !== distro)]
}

interface TraitTest {
  readonly trait: keyof Traits
  readonly wanted: string
  readonly fits: (tree: Tree) => boolean
}

function traitTests(wanted: Traits): TraitTest[] {
  const tests: TraitTest[] = []
  const add = (trait: keyof Traits, fits: (text: string) => (tree: Tree) => boolean) => {
    const text = wanted[trait]?.trim() ?? ''
    if (text !== '') tests.push({ trait, wanted: text, fits: fits(text) })
  }
  add('distro', distroTest)
  add('arch', archTest)
  add('version', versionTest)
  add('variant', variantTest)
  return tests
}

const wider: Partial<Record<Distro, readonly Distro[]>> = {
  centos: ['centos', 'centos-stream'],
  sle: ['sle', 'sles', 'sled'],
}

function distroTest(text: string): (tree: Tree) => boolean {
  const distro = parseDistro(text)
  const family = text.toLowerCase()
  if (distro === undefined || distro === 'other') return (tree) => tree.family.toLowerCase() === family
  const distros = wider[distro] ?? [distro]
  return (tree) => distros.includes(tree.distro)
}

function archTest(text: string): (tree: Tree) => boolean {
  const arch = canonicalArch(text)
  // A Fedora ppc tree boots ppc64 as well: its own platform says so.
  return (tree) => canonicalArch(tree.arch) === arch || platformFor(tree.platforms, arch) !== undefined
}

function versionTest(text: string): (tree: Tree) => boolean {
  const matches = versionMatcher(text)
  const codename = text.toLowerCase()
  return (tree) =>
    matches(tree.version) || (tree.codename !== undefined && tree.codename.toLowerCase() === codename)
}

/** A BaseOS tree with AppStream beside it is an AppStream tree too. */
function variantTest(text: string): (tree: Tree) => boolean {
  return (tree) =>
    sameVariant(tree.variant, text) ||
    tree.repositories.some((repository) => sameVariant(repository.id, text))
}

function whyNone(
  wanted: Traits,
  tests: readonly TraitTest[],
  matching: readonly Tree[],
  best: readonly Tree[],
): string {
  const waiting = matching[0]
  if (waiting) return stateOf(waiting)
  if (best.length === 0) return 'there are no trees yet'
  const asked = tests.map((test) => test.wanted).join(' ')
  const unmet = tests.find(
    (_, i) => !best.some((tree) => tests.slice(0, i + 1).every((test) => test.fits(tree))),
  )
  if (!unmet) return `no tree fits ${asked}`
  const before = tests.slice(0, tests.indexOf(unmet))
  const have = best.filter((tree) => tree.state === 'ready' && before.every((test) => test.fits(tree)))
  const values = [...new Set(have.map((tree) => traitOf(tree, unmet.trait)))].filter((value) => value !== '')
  const known =
    wanted.distro !== undefined && unmet.trait === 'distro' && parseDistro(wanted.distro) === undefined
  const subject = before.length > 0 ? ` of ${before.map((test) => test.wanted).join(' ')}` : ''
  const list =
    values.length > 0 ? `; there is ${values.slice(0, 6).join(', ')}${values.length > 6 ? ', ...' : ''}` : ''
  return `no tree${subject} has ${unmet.trait} ${JSON.stringify(unmet.wanted)}${known ? ' (not a name we know)' : ''}${list}`
}

function traitOf(tree: Tree, trait: keyof Traits): string {
  return trait === 'distro' && tree.distro === 'other' ? tree.family : tree[trait]
}

function stateOf(tree: Tree): string {
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

/** The more traits a tree shares the nearer it is, the earlier ones (distribution, arch) counting more. */
function nearestByTraits(tests: readonly TraitTest[], best: readonly Tree[]): Tree[] {
  const score = (tree: Tree) =>
    tests.reduce((sum, test, i) => sum + (test.fits(tree) ? 2 ** (tests.length - i) : 0), 0)
  return best
    .filter((tree) => tree.state === 'ready')
    .map((tree) => ({ tree, score: score(tree) }))
    .filter((each) => each.score > 0 || tests.length === 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, 5)
    .map((each) => each.tree)
}

function nearestById(id: string, best: readonly Tree[]): Tree[] {
  const words = id.toLowerCase().match(/[a-z]+|\d+/g) ?? []
  const score = (tree: Tree) => {
    const has = new Set(tree.id.toLowerCase().match(/[a-z]+|\d+/g) ?? [])
    return words.filter((word) => has.has(word)).length
  }
  return best
    .filter((tree) => tree.state === 'ready')
    .map((tree) => ({ tree, score: score(tree) }))
    .filter((each) => each.score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, 5)
    .map((each) => each.tree)
}

function stripSlashes(id: string): string {
  return id.startsWith('/') || id.endsWith('/') ? id.replace(/^\/+|\/+$/g, '') : id
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
