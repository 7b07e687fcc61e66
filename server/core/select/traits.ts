import { coveredBy, parseDistro } from '../distro/distro.ts'
import type { TreeSelector } from '../guest/guest.ts'
import { canonicalArch } from '../tree/arch.ts'
import type { Tree } from '../tree/tree.ts'
import { compareParsed, parseVersion, type Version, versionMatcher } from '../tree/version.ts'
import { squeezeVariant, variantRank } from './variant.ts'

export type Traits = Exclude<TreeSelector, { readonly id: string }>

/** A tree with all that a selection compares taken apart beforehand. */
export interface Candidate {
  readonly tree: Tree
  readonly family: string
  readonly version: Version
  readonly codename: string
  /** Its own arch and the arches of its platforms, canonical: a Fedora ppc tree boots ppc64 as well. */
  readonly arches: ReadonlySet<string>
  /** Its variant and those beside it: a BaseOS tree with AppStream is an AppStream tree too. */
  readonly variants: ReadonlySet<string>
  readonly variantRank: number
  readonly bootable: boolean
}

export function candidateOf(tree: Tree): Candidate {
  const images = Object.values(tree.platforms)
  return {
    tree,
    family: tree.family.toLowerCase(),
    version: parseVersion(tree.version),
    codename: tree.codename?.toLowerCase() ?? '',
    arches: new Set([tree.arch, ...Object.keys(tree.platforms)].map(canonicalArch)),
    variants: new Set([tree.variant, ...tree.repositories.map(({ id }) => id)].map(squeezeVariant)),
    variantRank: variantRank(tree.variant),
    bootable: images.some(({ kernel, initrd }) => kernel !== undefined && initrd !== undefined),
  }
}

/** Newest version first; then full trees before special ones, then the newest files; the id settles the rest. */
export function betterFirst(a: Candidate, b: Candidate): number {
  return (
    compareParsed(b.version, a.version) ||
    a.variantRank - b.variantRank ||
    Number(b.bootable) - Number(a.bootable) ||
    b.tree.modifiedMs - a.tree.modifiedMs ||
    (a.tree.id < b.tree.id ? -1 : a.tree.id > b.tree.id ? 1 : 0)
  )
}

/** One thing that was asked for, and whether a tree has it. */
export interface TraitTest {
  readonly trait: keyof Traits
  readonly wanted: string
  readonly fits: (candidate: Candidate) => boolean
}

const makers: readonly (readonly [keyof Traits, (text: string) => TraitTest['fits']])[] = [
  ['distro', distroTest],
  ['arch', archTest],
  ['version', versionTest],
  ['variant', variantTest],
]

/** What a selector asks for, the weightiest first: distribution, arch, version, variant. */
export function traitTests(wanted: Traits): TraitTest[] {
  const tests: TraitTest[] = []
  for (const [trait, make] of makers) {
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
