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
}
