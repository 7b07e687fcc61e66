import { type VolumeRule, volumeRules } from '../distro/volume-rules.ts'
import { archIn, canonicalArch, withoutArchs } from './arch.ts'

/**
 * What the primary volume descriptor of ISO 9660 says of a disc (ECMA-119 8.4), without the blanks at the ends.
 * Whoever masters a disc chooses these texts, and a copy under another file name keeps them. libosinfo knows
 * media by them alone.
 */
export interface VolumeIds {
  /** The name of the disc, of at most 32 characters: `Fedora-S-dvd-x86_64-40`. */
  readonly volume: string
  /** Mostly `LINUX` or nothing. */
  readonly system: string
  readonly publisher: string
  /** What was made, or the name of the program that made the image. */
  readonly application: string
}

/** What a source says of a tree: `Description` has the same four. '' for what it does not say. */
export interface Identity {
  readonly family: string
  readonly version: string
  readonly variant: string
  readonly arch: string
}

/** The names of programs that write images: they stand in the application identifier of most discs. */
const masteringProgram = /genisoimage|mkisofs|xorriso|libisofs|oscdimg|imgburn|k3b/i

/** The application identifier has 128 bytes, and no rule looks at more. So the time of a pattern has a bound. */
const longestText = 128

/** One identifier, and what all rules would ask of it. */
interface Text {
  readonly words: string
  readonly arch: string
  readonly withoutArchs: string
}

/**
 * What a disc is, by the rules of those who master discs; undefined when no rule knows its descriptor. The first
 * rule that fits gives the family, and later rules of that family add what it does not say.
 */
export function identifyVolume(ids: VolumeIds): Identity | undefined {
  const texts = {
    volume: textOf(ids.volume),
    application: textOf(masteringProgram.test(ids.application) ? '' : ids.application),
    publisher: textOf(ids.publisher),
  }
  let known: Identity | undefined
  for (const rule of volumeRules) {
    if (known && known.family !== rule.family) continue
    const said = applyRule(rule, texts)
    if (said) known = known ? withGapsFilled(known, said) : said
  }
  return known
}

function textOf(identifier: string): Text {
  const words = identifier.slice(0, longestText)
  return { words, arch: archIn(words) ?? '', withoutArchs: withoutArchs(words) }
}

function withGapsFilled(better: Identity, other: Identity): Identity {
  return {
    family: better.family,
    version: better.version || other.version,
    variant: better.variant || other.variant,
    arch: better.arch || other.arch,
  }
}

function applyRule(
  rule: VolumeRule,
  texts: Readonly<Record<'volume' | 'application' | 'publisher', Text>>,
): Identity | undefined {
  if (rule.publisher && !rule.publisher.test(texts.publisher.words)) return undefined
  const match = rule.pattern.exec(texts[rule.from ?? 'volume'].withoutArchs)
  if (!match) return undefined
  const { version = '', variant = '' } = match.groups ?? {}
  const { readVersion, variants = {} } = rule
  return {
    family: rule.family,
    version: readVersion ? readVersion(version) : version,
    variant: Object.hasOwn(variants, variant) ? (variants[variant] ?? '') : '',
    // The volume identifier is cut after 32 characters, the application identifier is not.
    arch: archOf(rule, texts.application) || archOf(rule, texts.volume),
  }
}

/** Discs have many names for some processors. These are the ones that such machines call themselves by. */
const machineNames: Readonly<Record<string, string>> = { i386: 'i686', armhfp: 'armv7l', parisc: 'parisc' }

function archOf({ archs = {} }: VolumeRule, { words, arch }: Text): string {
  const own = words
    .toLowerCase()
    .split(/[\s/-]+/)
    .find((word) => Object.hasOwn(archs, word))
  const spelled = ((own !== undefined && archs[own]) || arch).toLowerCase()
  return machineNames[canonicalArch(spelled)] ?? spelled
}
