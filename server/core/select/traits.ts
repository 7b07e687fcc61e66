import { cdInitrd } from '../distro/cd-initrd.ts'
import { coveredBy, parseDistro } from '../distro/distro.ts'
import { groupBy } from '../group-by.ts'
import type { TreeSelector } from '../guest/guest.ts'
import { canonicalArch } from '../tree/arch.ts'
import { bootablePlatforms } from '../tree/boot-files.ts'
import type { Tree } from '../tree/tree.ts'
import { compareParsed, isReleased, parseVersion, type Version, versionMatcher } from '../tree/version.ts'

/** The traits of a tree that a selector asks for, when it names no id. */
export type Traits = Exclude<TreeSelector, { readonly id: string }>

/** A tree, with the values that a selection compares parsed beforehand. */
export interface IndexedTree {
  readonly tree: Tree
  readonly family: string
  readonly version: Version
  /** Whether its version is finished: neither a beta nor a rolling release under development (rawhide, sid). */
  readonly released: boolean
  readonly codename: string
  /** Its own arch and the arches of its platforms, canonical: a Fedora ppc tree boots ppc64 as well. */
  readonly arches: ReadonlySet<string>
  /** Its variant and the ids of its repositories: a BaseOS tree with AppStream is an AppStream tree, too. */
  readonly variants: ReadonlySet<string>
  readonly variantRank: number
  /** The arches, canonical, that the tree has a kernel and an initrd for; empty for packages only. */
  readonly boots: ReadonlySet<string>
  /** 2: boots from the network; 1: its initrd wants the disc that it came on; 0: packages only. */
  readonly bootRank: 0 | 1 | 2
}

export function indexTree(tree: Tree): IndexedTree {
  const boots = new Set(bootablePlatforms(tree).map(canonicalArch))
  const bootRank = cdInitrd(tree) ? 1 : 2
  const version = parseVersion(tree.version)
  return {
    tree,
    family: tree.family.toLowerCase(),
    version,
    released: isReleased(version),
    codename: tree.codename?.toLowerCase() ?? '',
    arches: new Set([tree.arch, ...Object.keys(tree.platforms)].map(canonicalArch)),
    variants: new Set([tree.variant, ...tree.repositories.map(({ id }) => id)].map(squeezeVariant)),
    variantRank: variantRank(tree.variant),
    boots,
    bootRank: boots.size === 0 ? 0 : bootRank,
  }
}

/**
 * Trees that boot from the network before a disc's, and these before packages only, however new they are. Then finished
 * releases: rawhide or a beta wins only when its version is asked for, or nothing else fits, as users of virt-install
 * expect of "the newest Fedora". Then the newest version, then full trees before special ones, then the newest files;
 * the id settles the rest.
 */
export function betterFirst(a: IndexedTree, b: IndexedTree): number {
  return (
    compareRanks(a, b) ||
    b.tree.modifiedMs - a.tree.modifiedMs ||
    Number(a.tree.id > b.tree.id) - Number(a.tree.id < b.tree.id)
  )
}

/** The order of `betterFirst` without what only settles ties: 0 when both fit a selector equally well. */
export function compareRanks(a: IndexedTree, b: IndexedTree): number {
  return (
    b.bootRank - a.bootRank ||
    Number(b.released) - Number(a.released) ||
    compareParsed(b.version, a.version) ||
    a.variantRank - b.variantRank
  )
}

/** The candidates of one distribution, or of one distribution for one arch, best first. */
export interface DistroGroup {
  readonly candidates: readonly IndexedTree[]
  /** The ready trees among them. */
  readonly ready: readonly Tree[]
  /** First number of the version -> the candidates with it. */
  readonly byMajor: ReadonlyMap<string, readonly IndexedTree[]>
  readonly codenames: ReadonlySet<string>
}

/** The groups of all distributions, with and without an arch. The candidates keep their order. */
export function groupByDistro(best: readonly IndexedTree[]): ReadonlyMap<string, DistroGroup> {
  const lists = groupBy(best, ({ tree, arches }) => {
    return [...new Set(['', ...arches])].map((arch) => groupKey(tree.distro, arch))
  })
  return new Map(
    [...lists].map(([key, candidates]) => {
      const [, arch = ''] = key.split(' ')
      return [key, groupOf(bootingFirst(candidates, arch))]
    }),
  )
}

/**
 * The candidates that boot the arch before those that do not, each part in its order: a tree of packages never wins
 * over one that boots. Without an arch, any kernel with its initrd counts.
 */
export function bootingFirst(candidates: readonly IndexedTree[], arch: string): readonly IndexedTree[] {
  const boots = ({ boots }: IndexedTree) => (arch === '' ? boots.size > 0 : boots.has(arch))
  const booting = candidates.filter(boots)
  if (booting.length === 0 || booting.length === candidates.length) return candidates
  return [...booting, ...candidates.filter((candidate) => !boots(candidate))]
}

function groupOf(candidates: readonly IndexedTree[]): DistroGroup {
  return {
    candidates,
    ready: candidates.map(({ tree }) => tree).filter(({ state }) => state === 'ready'),
    byMajor: groupBy(candidates, ({ version }) => version.numbers.slice(0, 1)),
    codenames: new Set(candidates.map(({ codename }) => codename)),
  }
}

const emptyGroup = groupOf([])

/** The candidates of a group that may have the wanted version. All others cannot, so they need no test. */
export function ofVersion(group: DistroGroup, wanted = ''): readonly IndexedTree[] {
  const { numbers, text } = parseVersion(wanted)
  // A code name also fits a tree that has it in its descriptor, whatever its version is.
  if (numbers[0] === undefined || group.codenames.has(text)) return group.candidates
  return group.byMajor.get(numbers[0]) ?? []
}

/**
 * The group that holds every tree of the wanted distribution and arch, and only those, so that the two need no
 * test. Undefined when no group does: no distribution is wanted, or one whose name covers several.
 */
export function groupFor(wanted: Traits, groups: ReadonlyMap<string, DistroGroup>): DistroGroup | undefined {
  const distro = parseDistro(wanted.distro ?? '')
  if (distro === undefined || distro === 'other' || coveredBy(distro).length > 1) return undefined
  const arch = wanted.arch?.trim() ?? ''
  return groups.get(groupKey(distro, arch === '' ? '' : canonicalArch(arch))) ?? emptyGroup
}

function groupKey(distro: string, arch: string): string {
  return `${distro} ${arch}`
}

/** One trait that was asked for, and whether a tree has it. */
export interface TraitTest {
  readonly trait: keyof Traits
  readonly wanted: string
  readonly fits: (candidate: IndexedTree) => boolean
}

const testMakers: readonly (readonly [keyof Traits, (text: string) => TraitTest['fits']])[] = [
  ['distro', distroTest],
  ['arch', archTest],
  ['version', versionTest],
  ['variant', variantTest],
]

/** What a selector asks for, the weightiest first: distribution, arch, version, variant. */
export function traitTests(wanted: Traits): TraitTest[] {
  const tests: TraitTest[] = []
  for (const [trait, make] of testMakers) {
    const text = wanted[trait]?.trim() ?? ''
    if (text !== '') tests.push({ trait, wanted: text, fits: make(text) })
  }
  return tests
}

function distroTest(text: string): TraitTest['fits'] {
  const distro = parseDistro(text)
  const family = text.toLowerCase()
  if (distro === undefined || distro === 'other') return (candidate) => candidate.family === family
  const distros = coveredBy(distro)
  return (candidate) => distros.includes(candidate.tree.distro)
}

function archTest(text: string): TraitTest['fits'] {
  const arch = canonicalArch(text)
  return (candidate) => candidate.arches.has(arch)
}

function versionTest(text: string): TraitTest['fits'] {
  const matches = versionMatcher(text)
  const codename = text.toLowerCase()
  return (candidate) => candidate.codename === codename || matches(candidate.version)
}

function variantTest(text: string): TraitTest['fits'] {
  const variant = squeezeVariant(text)
  return (candidate) => candidate.variants.has(variant)
}

/**
 * Which of several variants of one release is meant when the selector names none. The one with the most
 * packages and the most general purpose comes first: Fedora's Everything has every environment, Server only
 * its own; Cloud, Workstation and the ostree variants can install little else than themselves.
 */
const variantRanks: readonly (readonly [RegExp, number])[] = [
  [/^(everything|os|baseos|full|dvd)$/, 0],
  [/^(server|live-server)$/, 1],
  [/^(fedora|release|netboot|netinst|minimal|)$/, 2],
  [/^(appstream|cd|bd|packages|online)$/, 3],
  [/^(client|workstation|desktop)$/, 5],
  [/^(computenode|atomichost|atomic|cloud|cloud_atomic)$/, 6],
  [/^(silverblue|kinoite|sericea|onyx|iot|coreos|live|labs|spins|optional)$/, 7],
]

/** The rank of a variant: 0 is the best, and an unknown variant is in the middle. */
function variantRank(variant: string): number {
  const name = variant.trim().toLowerCase()
  return variantRanks.find(([pattern]) => pattern.test(name))?.[1] ?? 4
}

/** Variants are compared without case, blanks and dashes: `live-server` is `Live Server`. */
function squeezeVariant(variant: string): string {
  return variant.toLowerCase().replace(/[\s_-]+/g, '')
}
