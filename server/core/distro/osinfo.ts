/**
 * Names of systems in osinfo-db, each with the first version that it stands for: the last one that is not newer than a
 * tree counts. virt-install refuses a name that its osinfo-db does not have, so there is none here that is newer than
 * early 2022: a machine for the next version of a family has the same devices.
 */
export type OsinfoNames = readonly (readonly [since: string, name: string])[]

/** `fedora` and [34, 35] -> fedora34, fedora35. */
export function osinfoNames(prefix: string, versions: readonly (number | string)[]): OsinfoNames {
  return versions.map((version) => [String(version), `${prefix}${version}`])
}
