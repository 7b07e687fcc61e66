import type { Description } from '../../server/core/tree/tree.ts'

/** Family, version, variant and arch, with `-` for what a descriptor does not say. */
export function namesOf(found: Description | undefined): string | undefined {
  return (
    found && [found.family, found.version, found.variant, found.arch].map((name) => name || '-').join(' / ')
  )
}

/** The line of each problem. */
export function linesOf(found: Description | undefined): (number | undefined)[] | undefined {
  return found?.problems.map(({ line }) => line)
}
