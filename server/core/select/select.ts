import { distroName, parseDistro } from '../distro/distro.ts'
import type { TreeSelector } from '../guest/guest.ts'
import type { Release, Tree } from '../tree/tree.ts'
import { nearestName } from './nearest.ts'
import {
  betterFirst,
  type Candidate,
  candidateOf,
  type Traits,
  type TraitTest,
  traitTests,
} from './traits.ts'

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
  /** In versions that were replaced, for whoever is in the middle of one. */
  readonly earlier: readonly Tree[]
  byId(id: string): Tree | undefined
  /** The tree in a version that may have been replaced; undefined when that is not there any more. */
  inVersion(id: string, release: Pick<Release, 'id' | 'version'>): Tree | undefined
  /**
   * The trees for whoever goes on seeing these versions, by id of the release; this very index when they are what
   * everyone sees.
   */
  asOf(versions: ReadonlyMap<string, number>): TreeIndex
  /** The ready tree that fits best: the newest version wins, then the better variant, then the newest files. */
  select(selector: TreeSelector): Selection
}

/** Answers kept. Selectors come from clients, so the memory must end somewhere; it then starts anew. */
const mostAnswers = 4096

/** Arrangements kept for clients in the middle of earlier versions; mostly all of them see the same few. */
const mostIndexes = 16

/**
 * Arranges trees for 10,000 lookups a second: taken apart and sorted once, best first, so that the first that fits
 * is the answer; and an answer once found is kept, because an index never changes.
 */
export function createTreeIndex(trees: readonly Tree[], earlier: readonly Tree[] = []): TreeIndex {
  const all = [...trees].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  const ids = new Map([...wholes(all), ...all.map((tree): [string, Tree] => [tree.id, tree])])
  const best = all.map(candidateOf).sort(betterFirst)
  const nearestIds = nearestByWords(best)
  const answers = new Map<string, Selection>()
  const indexes = new Map<string, TreeIndex>()
  const newest = new Map(all.flatMap(({ release }) => (release ? [[release.id, release.version]] : [])))

  const inVersion: TreeIndex['inVersion'] = (id, { id: release, version }) =>
    [ids.get(id), ...earlier].find(
      (tree) => tree?.id === id && tree.release?.id === release && tree.release.version === version,
    )

  const index: TreeIndex = {
    all,
    earlier,
    byId: (id) => ids.get(stripSlashes(id)),
    inVersion,
    asOf(versions) {
      const older = [...versions].filter(([id, version]) => newest.has(id) && newest.get(id) !== version)
      if (older.length === 0) return index
      const key = older.map((each) => each.join('\u0000')).join('\u0001')
      const known = indexes.get(key)
      if (known) return known
      const seen = all.map((tree) => {
        const version = tree.release && versions.get(tree.release.id)
        return tree.release && version !== undefined && version !== tree.release.version
          ? (inVersion(tree.id, { id: tree.release.id, version }) ?? tree)
          : tree
      })
      const replaced = all.filter((tree, at) => tree !== seen[at])
      const made = replaced.length === 0 ? index : createTreeIndex(seen, [...earlier, ...replaced])
      if (indexes.size >= mostIndexes) indexes.clear()
      indexes.set(key, made)
      return made
    },
    select(selector) {
      const key = 'id' in selector ? `\u0001${selector.id}` : keyOf(selector)
      const known = answers.get(key)
      if (known) return known
      const answer =
        'id' in selector ? selectById(selector.id, ids, nearestIds) : selectByTraits(selector, best)
      if (answers.size >= mostAnswers) answers.clear()
      answers.set(key, answer)
      return answer
    },
  }
  return index
}

/**
 * What several trees were published as together is a name of the one among them that boots: a mirror of EL 9 that is called
 * `rhel9` has `rhel9/BaseOS/x86_64/os` and `rhel9/AppStream/x86_64/os`.
 */
function wholes(trees: readonly Tree[]): Map<string, Tree> {
  const found = new Map<string, Tree>()
  const several = new Set<string>()
  for (const tree of trees) {
    const whole = tree.release?.id
    if (whole === undefined || !tree.id.startsWith(`${whole}/`) || !boots(tree)) continue
    if (found.has(whole)) several.add(whole)
    found.set(whole, tree)
  }
  for (const whole of several) found.delete(whole)
  return found
}

function boots({ platforms }: Tree): boolean {
  return Object.values(platforms).some((images) => images.kernel !== undefined)
}

function keyOf({ distro = '', version = '', variant = '', arch = '' }: Traits): string {
  return `${distro}\u0000${version}\u0000${variant}\u0000${arch}`
}

function selectById(
  id: string,
  ids: ReadonlyMap<string, Tree>,
  nearestIds: (id: string) => readonly Scored[],
): Selection {
  const tree = ids.get(stripSlashes(id))
  if (tree?.state === 'ready') return { found: true, tree, others: [] }
  const why = tree ? stateOf(tree) : `there is no tree ${JSON.stringify(id)}`
  return { found: false, why, nearest: nearest(nearestIds(id)) }
}

/**
 * Scores trees by the words that their ids share with another id. Misses come in endless variety and no memory of answers
 * helps against them, so the trees of each word are known beforehand.
 */
function nearestByWords(best: readonly Candidate[]): (id: string) => readonly Scored[] {
  const places = new Map<string, number[]>()
  for (const [place, { tree }] of best.entries())
    for (const word of new Set(wordsOf(tree.id))) {
      const known = places.get(word)
      if (known) known.push(place)
      else places.set(word, [place])
    }
  return (id) => {
    const scores = new Uint16Array(best.length)
    for (const word of new Set(wordsOf(id)))
      for (const place of places.get(word) ?? []) scores[place] = (scores[place] ?? 0) + 1
    return best.map((candidate, place) => ({ candidate, score: scores[place] ?? 0 }))
  }
}

/** A tree and which tests it passes: the bits of `score`, the first test in the highest one. */
interface Scored {
  readonly candidate: Candidate
  readonly score: number
}

function selectByTraits(wanted: Traits, best: readonly Candidate[]): Selection {
  const tests = traitTests(wanted)
  const scored = best.map((candidate): Scored => ({ candidate, score: scoreOf(candidate, tests) }))
  const full = 2 ** tests.length - 1
  const matching = scored.filter(({ score }) => score === full).map(({ candidate }) => candidate.tree)
  const [tree, ...others] = preferExact(
    matching.filter(({ state }) => state === 'ready'),
    wanted,
  )
  if (tree) return { found: true, tree, others }
  return {
    found: false,
    why: whyNone(tests, matching, scored),
    nearest: misspelt(wanted, best) ?? nearest(scored),
  }
}

/** What was probably meant by `fedoar`: the trees that the name nearest to it finds. */
function misspelt(wanted: Traits, best: readonly Candidate[]): readonly Tree[] | undefined {
  if (wanted.distro === undefined || parseDistro(wanted.distro) !== undefined) return undefined
  const distro = nearestName(wanted.distro, [...new Set(best.map(({ tree }) => tree.distro))])
  if (distro === undefined) return undefined
  const meant = selectByTraits({ ...wanted, distro }, best)
  return meant.found ? [meant.tree, ...meant.others].slice(0, mostNearest) : meant.nearest
}

function scoreOf(candidate: Candidate, tests: readonly TraitTest[]): number {
  let score = 0
  for (const test of tests) score = score * 2 + (test.fits(candidate) ? 1 : 0)
  return score
}

/** `centos` also means CentOS Stream, and `sle` every SUSE Linux Enterprise; but the literal one comes first. */
function preferExact(trees: readonly Tree[], wanted: Traits): readonly Tree[] {
  const distro = wanted.distro === undefined ? undefined : parseDistro(wanted.distro)
  const exact = trees.filter((tree) => tree.distro === distro)
  return exact.length === 0 ? trees : [...exact, ...trees.filter((tree) => tree.distro !== distro)]
}

/** Names the first thing asked for that no tree has together with what was asked before it, and what there is instead. */
function whyNone(tests: readonly TraitTest[], matching: readonly Tree[], scored: readonly Scored[]): string {
  const [waiting] = matching
  if (waiting) return stateOf(waiting)
  if (scored.length === 0) return 'there are no trees yet'
  const passed = (score: number, count: number) => score >> (tests.length - count) === 2 ** count - 1
  const at = tests.findIndex((_, i) => !scored.some(({ score }) => passed(score, i + 1)))
  const unmet = tests[at]
  if (!unmet) return 'no tree fits'
  const values = new Set<string>()
  for (const { candidate, score } of scored)
    if (candidate.tree.state === 'ready' && passed(score, at))
      values.add(traitOf(candidate.tree, unmet.trait))
  values.delete('')
  const strange =
    unmet.trait === 'distro' && parseDistro(unmet.wanted) === undefined ? ' (not a name we know)' : ''
  const before = tests.slice(0, at).map(({ wanted }) => wanted)
  const subject = before.length > 0 ? ` of ${before.join(' ')}` : ''
  const some = [...values].slice(0, 6).join(', ')
  const instead = some === '' ? '' : `; there is ${some}${values.size > 6 ? ', ...' : ''}`
  return `no tree${subject} has ${unmet.trait} ${JSON.stringify(unmet.wanted)}${strange}${instead}`
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

const mostNearest = 5

/** At most five ready trees of the highest scores; equals stay in their order, best first. */
function nearest(scored: readonly Scored[]): Tree[] {
  const byScore = new Map<number, Tree[]>()
  for (const { candidate, score } of scored) {
    if (score === 0 || candidate.tree.state !== 'ready') continue
    const equals = byScore.get(score)
    if (!equals) byScore.set(score, [candidate.tree])
    else if (equals.length < mostNearest) equals.push(candidate.tree)
  }
  const bestFirst = [...byScore].sort(([a], [b]) => b - a)
  return bestFirst.flatMap(([, trees]) => trees).slice(0, mostNearest)
}

function wordsOf(id: string): string[] {
  return id.toLowerCase().match(/[a-z]+|\d+/g) ?? []
}

function stripSlashes(id: string): string {
  return id.startsWith('/') || id.endsWith('/') ? id.replace(/^\/+|\/+$/g, '') : id
}
