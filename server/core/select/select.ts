import { defined } from '../defined.ts'
import { parseDistro } from '../distro/distro.ts'
import { groupBy } from '../group-by.ts'
import type { TreeSelector } from '../guest/guest.ts'
import { canonicalArch } from '../tree/arch.ts'
import { bootablePlatforms } from '../tree/boot-files.ts'
import type { Release, Tree } from '../tree/tree.ts'
import { rollingInName } from '../tree/version.ts'
import { closestTrees, maxClosest, scoresByTests, scoresByWords, wordsOf } from './closest.ts'
import { nearestName } from './nearest.ts'
import {
  betterFirst,
  bootingFirst,
  type DistroGroup,
  groupByDistro,
  groupFor,
  type IndexedTree,
  indexTree,
  ofVersion,
  type Traits,
  type TraitTest,
  traitTests,
} from './traits.ts'
import { whyNone, whyNotReady } from './why-none.ts'

export type Selection =
  | {
      readonly found: true
      readonly tree: Tree
      /** What else matched, best first: older versions, other variants. */
      readonly others: readonly Tree[]
    }
  | {
      readonly found: false
      /**
       * One line for the operator: what was asked, why nothing fits ("fedora 41 x86_64 is still incoming").
       */
      readonly why: string
      /** The closest ready trees, best first, at most five. */
      readonly nearest: readonly Tree[]
    }

/** All trees of a snapshot, indexed for selections. The index never changes. */
export interface TreeIndex {
  /** Sorted by id, in every state. */
  readonly all: readonly Tree[]
  /** Trees in versions that were replaced, for clients that have begun to fetch one of them. */
  readonly earlier: readonly Tree[]
  byId(id: string): Tree | undefined
  /** The tree in a version that may have been replaced; undefined when that version is deleted. */
  inVersion(id: string, release: Pick<Release, 'id' | 'version'>): Tree | undefined
  /** The given versions (release id -> version) that are not current: `all` has another version. */
  otherVersions(versions: ReadonlyMap<string, number>): ReadonlyMap<string, number>
  /**
   * The index for a client that still sees the given versions (release id -> version). It is this index when
   * no tree differs, else a new one, built at each call.
   */
  asOf(versions: ReadonlyMap<string, number>): TreeIndex
  /**
   * The ready tree that fits best: one that boots, then the newest finished version, the better variant, the newest files.
   */
  select(selector: TreeSelector): Selection
}

/**
 * Indexes trees for 10,000 lookups a second: their versions are parsed and the trees sorted once, best first,
 * so that the first one that fits is the result.
 */
export function createTreeIndex(trees: readonly Tree[], earlier: readonly Tree[] = []): TreeIndex {
  const all = [...trees].sort((a, b) => Number(a.id > b.id) - Number(a.id < b.id))
  const ids = new Map([...byReleaseId(all), ...all.map((tree): [string, Tree] => [tree.id, tree])])
  const arrangement = arrange(all)
  const current = new Map(all.flatMap(({ release }) => (release ? [[release.id, release.version]] : [])))

  const inVersion: TreeIndex['inVersion'] = (id, { id: release, version }) =>
    [ids.get(id), ...earlier].find(
      (tree) => tree?.id === id && tree.release?.id === release && tree.release.version === version,
    )
  const otherVersions: TreeIndex['otherVersions'] = (versions) =>
    new Map([...versions].filter(([id, version]) => current.has(id) && current.get(id) !== version))

  const index: TreeIndex = {
    all,
    earlier,
    byId: (id) => ids.get(stripSlashes(id)),
    inVersion,
    otherVersions,
    asOf(versions) {
      const others = otherVersions(versions)
      const seen = all.map((tree) => {
        const version = tree.release && others.get(tree.release.id)
        const release = tree.release && version !== undefined ? { id: tree.release.id, version } : undefined
        return (release && inVersion(tree.id, release)) ?? tree
      })
      const replaced = all.filter((tree, at) => tree !== seen[at])
      return replaced.length === 0 ? index : createTreeIndex(seen, [...earlier, ...replaced])
    },
    select: (selector) =>
      'id' in selector ? selectById(selector.id, ids, arrangement) : selectByTraits(selector, arrangement),
  }
  return index
}

/** The candidates, best first, and maps that find some of them without a search. */
interface Arrangement {
  readonly best: readonly IndexedTree[]
  /** The result of `groupByDistro`. */
  readonly groups: ReadonlyMap<string, DistroGroup>
  /** Word of an id -> places in `best`. */
  readonly places: ReadonlyMap<string, readonly number[]>
}

function arrange(trees: readonly Tree[]): Arrangement {
  const best = trees.map(indexTree).sort(betterFirst)
  const places = groupBy(best.keys(), (place) => wordsOf(best[place]?.tree.id ?? ''))
  return { best, groups: groupByDistro(best), places }
}

/**
 * Maps the id under which several trees were published together to the tree among them that boots, if it is
 * the only one. A mirror of EL 9 that is called `rhel9` has `rhel9/BaseOS/x86_64/os` and
 * `rhel9/AppStream/x86_64/os`.
 */
function byReleaseId(trees: readonly Tree[]): Map<string, Tree> {
  const found = new Map<string, Tree>()
  const several = new Set<string>()
  for (const tree of trees) {
    const releaseId = tree.release?.id
    if (releaseId === undefined || !tree.id.startsWith(`${releaseId}/`)) continue
    if (bootablePlatforms(tree).length === 0) continue
    if (found.has(releaseId)) several.add(releaseId)
    found.set(releaseId, tree)
  }
  for (const releaseId of several) found.delete(releaseId)
  return found
}

function selectById(id: string, ids: ReadonlyMap<string, Tree>, { best, places }: Arrangement): Selection {
  const tree = ids.get(stripSlashes(id))
  if (tree?.state === 'ready') return { found: true, tree, others: [] }
  const why = tree ? whyNotReady(tree) : `there is no tree ${JSON.stringify(id)}`
  return { found: false, why, nearest: closestTrees(best, scoresByWords(id, best.length, places)) }
}

function selectByTraits(wanted: Traits, arrangement: Arrangement): Selection {
  const { best } = arrangement
  const group = groupFor(wanted, arrangement.groups)
  // A group has one distribution and one arch only, and those that boot it stand first.
  const matches = group ? readyInGroup(group, wanted) : readyAmong(best, wanted)
  if (matches[0]) return { found: true, tree: matches[0], others: matches.slice(1) }
  const tests = traitTests(wanted)
  const scores = scoresByTests(best, tests)
  const unready = (group?.candidates ?? best).find((candidate) => tests.every(({ fits }) => fits(candidate)))
  return {
    found: false,
    why: unready ? whyNotReady(unready.tree) : whyNone(tests, best, scores),
    nearest: misspelt(wanted, arrangement) ?? closestTrees(best, scores),
  }
}

/** The group has the distribution and the arch; the rest is tested. */
function readyInGroup(group: DistroGroup, { distro = '', version, variant }: Traits): readonly Tree[] {
  const tests = traitTests(defined({ version, variant }))
  const name = parseDistro(distro)
  const rolling = version === undefined && name !== undefined ? rollingInName(name, distro) : 0
  if (tests.length === 0 && rolling === 0) return group.ready
  const matches = readyMatches(ofVersion(group, version), tests)
  // `tumbleweed` is another name of openSUSE, and whoever writes it does not mean Leap.
  return treesOf(rolling === 0 ? matches : rollingFirst(matches, rolling))
}

function rollingFirst(matches: readonly IndexedTree[], rolling: number): readonly IndexedTree[] {
  const meant = (candidate: IndexedTree) => candidate.version.rolling === rolling
  return [...matches.filter(meant), ...matches.filter((candidate) => !meant(candidate))]
}

/** Several distributions and arches: those named exactly come first, and what boots before all others. */
function readyAmong(best: readonly IndexedTree[], wanted: Traits): readonly Tree[] {
  const matches = preferExact(readyMatches(best, traitTests(wanted)), wanted)
  return treesOf(bootingFirst(matches, canonicalArch(wanted.arch ?? '')))
}

function treesOf(candidates: readonly IndexedTree[]): readonly Tree[] {
  return candidates.map(({ tree }) => tree)
}

function readyMatches(candidates: readonly IndexedTree[], tests: readonly TraitTest[]): IndexedTree[] {
  return candidates.filter(
    (candidate) => candidate.tree.state === 'ready' && tests.every(({ fits }) => fits(candidate)),
  )
}

/**
 * The trees of the distribution that a misspelt name (`fedoar`) probably means; undefined when the name is
 * right or no name is near.
 */
function misspelt(wanted: Traits, arrangement: Arrangement): readonly Tree[] | undefined {
  if (wanted.distro === undefined || parseDistro(wanted.distro) !== undefined) return undefined
  const distro = nearestName(wanted.distro, new Set(arrangement.best.map(({ tree }) => tree.distro)))
  if (distro === undefined) return undefined
  const meant = selectByTraits({ ...wanted, distro }, arrangement)
  return meant.found ? [meant.tree, ...meant.others].slice(0, maxClosest) : meant.nearest
}

/**
 * Puts the trees of the named distribution first: `centos` also means CentOS Stream, and `sle` every SUSE
 * Linux Enterprise.
 */
function preferExact(matches: readonly IndexedTree[], wanted: Traits): readonly IndexedTree[] {
  const distro = wanted.distro === undefined ? undefined : parseDistro(wanted.distro)
  const exact = matches.filter(({ tree }) => tree.distro === distro)
  if (exact.length === 0 || exact.length === matches.length) return matches
  return [...exact, ...matches.filter(({ tree }) => tree.distro !== distro)]
}

function stripSlashes(id: string): string {
  return id.startsWith('/') || id.endsWith('/') ? id.replace(/^\/+|\/+$/g, '') : id
}
