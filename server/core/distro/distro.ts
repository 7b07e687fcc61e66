import { compareVersions } from '../tree/version.ts'
import { type Distro, distros, isDistro, recordOf } from './families.ts'
import type { DistroException, InstallerName } from './record.ts'

export { type Distro, distros } from './families.ts'

/**
 * The distribution of a tree, by the family, version and variant of its descriptor; `other` when no record
 * matches.
 */
export function distroOf(tree: { family: string; version: string; variant: string }): Distro {
  const family = tree.family.trim().toLowerCase()
  if (family === '') return 'other'
  const distro = distros.find((each) => recordOf(each).family.test(family)) ?? 'other'
  const exception = recordOf(distro).exceptions?.find((each) => isException(each, tree))
  return exception && isDistro(exception.distro) ? exception.distro : distro
}

function isException(
  { version, variant, since }: DistroException,
  tree: { readonly version: string; readonly variant: string },
): boolean {
  const treeVersion = tree.version.trim().toLowerCase()
  return (
    (version?.test(treeVersion) ?? true) &&
    (variant?.test(tree.variant) ?? true) &&
    (since === undefined || compareVersions(treeVersion, since) >= 0)
  )
}

/**
 * The installer that a tree starts. Where a distribution changed its installer, the version or the kernel's
 * path decides.
 */
export function installerOf(distro: Distro, version: string, kernel?: string): InstallerName {
  const { installer } = recordOf(distro)
  if (typeof installer === 'string') return installer
  const rule = installer.find(
    (each) =>
      (each.kernel === undefined || (!!kernel && each.kernel.test(kernel))) &&
      (each.version?.test(version) ?? true) &&
      (each.since === undefined || compareVersions(version, each.since) >= 0),
  )
  return rule?.installer ?? 'unknown'
}

/** Whether anaconda of this version reads `method=` and `ks=`, and has a first stage of its own. */
export function isOldAnaconda({
  distro,
  version,
}: {
  readonly distro: Distro
  readonly version: string
}): boolean {
  const { instPrefixSince = '7' } = recordOf(distro)
  if (instPrefixSince === 'never') return true
  if (instPrefixSince === 'always' || version === '') return false
  return compareVersions(version, instPrefixSince) < 0
}

/** The shipped template for the guests of a tree; undefined where none is shipped. */
export function shippedTemplate(distro: Distro, version: string, kernel?: string): string | undefined {
  const { template } = recordOf(distro)
  return typeof template === 'object' ? template[installerOf(distro, version, kernel)] : template
}

/** What osinfo-db calls a version of a distribution, or the newest name that is not newer; undefined without one. */
export function osinfoName(distro: Distro, version: string): string | undefined {
  if (version === '') return undefined
  return recordOf(distro).osinfo?.findLast(([since]) => compareVersions(version, since) >= 0)?.[1]
}

/** The installer of a tree for people: of a system without one, whose arguments its kernel gets. */
export function installerWords(distro: Distro, installer: InstallerName): string {
  if (installer !== 'unknown') return installer
  return recordOf(distro).bootArgs
    ? 'none; a live system whose arguments are known'
    : 'unknown; the arguments of its kernel are yours (args:)'
}

export function distroName(distro: Distro): string {
  return recordOf(distro).name
}

/** The distributions that the name of one means in a selection: `centos` also means CentOS Stream. */
export function coveredBy(distro: Distro): readonly Distro[] {
  return [distro, ...(recordOf(distro).covers ?? []).filter(isDistro)]
}

/**
 * Name -> distribution. The pairs are reversed, because a later pair replaces an earlier one: so a name that
 * several distributions have means the first of them.
 */
const byAlias: ReadonlyMap<string, Distro> = new Map(
  distros.flatMap((distro) => namesOf(distro).map((name): [string, Distro] => [name, distro])).reverse(),
)

function namesOf(distro: Distro): string[] {
  const { name, aliases = [] } = recordOf(distro)
  return [squeeze(distro), squeeze(name), ...aliases]
}

function squeeze(text: string): string {
  return text.toLowerCase().replace(/[\s_.-]+/g, '')
}

/**
 * The distribution that an operator means: `Fedora`, `redhat`, `Alma Linux`, `suse`; undefined for an unknown
 * name.
 */
export function parseDistro(text: string): Distro | undefined {
  return byAlias.get(squeeze(text))
}
