/** Something that an operator should know: where it stands, what is wrong, and what mends it. */
export interface SnapshotProblem {
  readonly severity: 'error' | 'warning'
  /** `config.yaml:12:5`, `kickstart-templates/fedora.ks:40`, `trees/fedora-40`. */
  readonly where: string
  readonly message: string
  readonly remedy?: string
}
