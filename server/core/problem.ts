/**
 * A fault in the configuration, a template or a tree, for the operator: its place, what is wrong, how to mend
 * it.
 */
export interface SnapshotProblem {
  readonly severity: 'error' | 'warning'
  /** The place: `config.yaml:12:5`, `kickstart-templates/fedora.ks:40`, `trees/fedora-40`. */
  readonly where: string
  readonly message: string
  readonly remedy?: string
  /** For programs: the value that the schema refused, whose place and words are in `where` and `message`. */
  readonly refused?: RefusedValue
}

export interface RefusedValue {
  /** Its path: `guests.web01.mac`. */
  readonly key: string
  /** As it is shown to people, in quotes and shortened. Absent for a secret, and where nothing was found. */
  readonly found?: string
  readonly expected: string
}
