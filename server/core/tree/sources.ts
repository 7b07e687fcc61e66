import { coveredBy, type Distro, distroOf } from '../distro/distro.ts'
import { sameArch } from './arch.ts'
import type { TreeProblem } from './description.ts'
import { parseVersion, versionMatcher } from './version.ts'
import type { Identity } from './volume-ids.ts'

/** What one source says of a tree. */
export interface Source extends Identity {
  /** Where it stands, for people: `.treeinfo`, `volume descriptor`, `name`. */
  readonly origin: string
  /** What is written there, where that is short: the identifiers of a volume descriptor. */
  readonly text: string
}

/**
 * The contradictions between sources, best first: for each fact, every source is compared with the first one that
 * says it. That one is taken, so a contradiction is only noted. A text that is less exact (9 and 9.4, SLE and SLES)
 * contradicts nothing.
 */
export function contradictions(sources: readonly Source[]): TreeProblem[] {
  return sources.flatMap((source, at) => {
    for (const better of sources.slice(0, at)) {
      const what = contradiction(better, source)
      if (what !== undefined)
        return [
          {
            message: `${called(better)} says ${textOf(better)}, and ${called(source)} says ${textOf(source)}: ${called(better)} is taken`,
          },
        ]
    }
    return []
  })
}

/** The fact that two sources do not agree on; undefined when they agree in all that both say. */
export function contradiction(a: Identity, b: Identity): keyof Identity | undefined {
  if (a.arch !== '' && b.arch !== '' && !sameArch(a.arch, b.arch)) return 'arch'
  // Without a family, a number may count anything.
  if (a.family === '' || b.family === '') return undefined
  if (!isSameFamily(a, b)) return 'family'
  return a.version === '' || b.version === '' || isSameRelease(a.version, b.version) ? undefined : 'version'
}

/** Whether two sources name one distribution: by its record, or by the same text where there is none. */
export function isSameFamily(a: Identity, b: Identity): boolean {
  const [one, other] = [distroOf(a), distroOf(b)]
  if (one === 'other' && other === 'other') return a.family.toLowerCase() === b.family.toLowerCase()
  return includes(one, other) || includes(other, one)
}

function includes(wide: Distro, narrow: Distro): boolean {
  return coveredBy(wide).includes(narrow)
}

/** A rolling release has numbers, too: Debian testing is the coming 14. */
function isSameRelease(a: string, b: string): boolean {
  const [one, other] = [parseVersion(a), parseVersion(b)]
  if (one.rolling !== 0 || other.rolling !== 0) return true
  return versionMatcher(a)(other) || versionMatcher(b)(one)
}

/** Files are called by their path. */
function called({ origin }: Source): string {
  return origin === 'volume descriptor' || origin === 'name' ? `the ${origin}` : origin
}

function textOf({ family, version, arch }: Source): string {
  return [family, version, arch].filter((word) => word !== '').join(' ')
}
