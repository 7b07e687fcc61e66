import type { Digest } from '../../core/tree/tree.ts'
import type { CleanPath } from '../../files/path.ts'

/** What a document says of one file. */
export interface Claim {
  /** In the source that is audited. */
  readonly path: CleanPath
  readonly size?: number
  readonly digest?: Digest
  /** The document, relative to the tree, for people. */
  readonly by: string
  /**
   * How much is missing when the file is: `required` for what `.treeinfo` and `repomd.xml` name, `listed` for
   * lists of checksums, which often name more than anyone copied, `alternative` for the forms of one index of which
   * a mirror keeps the one it likes.
   */
  readonly weight: 'required' | 'listed' | 'alternative'
}

export interface Finding {
  readonly severity: 'error' | 'warning'
  /** Relative to the tree; `../` leads to a repository beside it. */
  readonly path: string
  readonly message: string
}

/** What documents say, and what was wrong with the documents themselves. */
export interface Claims {
  readonly claims: readonly Claim[]
  readonly findings: readonly Finding[]
  /** The documents that were read, relative to the tree. */
  readonly documents: readonly string[]
}
