import type { Digest } from '../core/tree/tree.ts'
import type { CleanPath } from '../files/path.ts'

/** What a document says of one file. */
export interface Claim {
  /** In the source that is audited. */
  readonly path: CleanPath
  readonly size?: number
  readonly digest?: Digest
  /** The document, relative to the tree, for people. */
  readonly by: string
  /** The document, in the source. */
  readonly from: CleanPath
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
  /** Another file that may as well be the damaged one: the signature of a document that it does not fit. */
  readonly with?: string
}

/** A signature of a document that names checksums. Paths are relative to the tree. */
export interface SignatureNote {
  readonly document: string
  /** Where it lies: the document itself when that is signed inline. */
  readonly signature: string
  /** `unchecked`: no keys were given. */
  readonly outcome: 'good' | 'bad' | 'unchecked'
  /** Of a good one: the fingerprint of the key, and its first user id. */
  readonly key?: string
  readonly signer?: string
}

/** What documents say, and what was wrong with the documents themselves. */
export interface Claims {
  readonly claims: readonly Claim[]
  readonly findings: readonly Finding[]
  /** The documents that were read, relative to the tree. */
  readonly documents: readonly string[]
  readonly signatures: readonly SignatureNote[]
}
