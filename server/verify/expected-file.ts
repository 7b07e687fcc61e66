import type { TreeEvidence } from '../core/tree/conclude.ts'
import type { Digest } from '../core/tree/tree.ts'
import type { CleanPath } from '../files/path.ts'
import type { FileSource } from '../files/source.ts'

/** A tree to be verified. */
export interface TreeToVerify {
  readonly source: FileSource
  /** The tree's folder in the source. Repositories beside it are followed as far as the source reaches. */
  readonly at: CleanPath
  /** What was found in the tree; undefined when nothing in it was recognised. */
  readonly evidence: TreeEvidence | undefined
}

/** What a document says of one file. */
export interface ExpectedFile {
  /** In the source that is verified. */
  readonly path: CleanPath
  readonly size?: number
  readonly digest?: Digest
  /** The document that names the file, relative to the tree, for messages. */
  readonly by: string
  /** The same document, in the source. */
  readonly from: CleanPath
  /**
   * What the report says when the file is missing. An error: `.treeinfo`, `repomd.xml` or `primary.xml` names
   * it. A warning: a list of checksums or Debian's `Packages` names it, and these often name more than anyone
   * copied. Nothing: it is one of several forms of an index, and a mirror need not keep all of them.
   */
  readonly ifMissing: 'error' | 'warning' | 'nothing'
}

/** What is wrong with one file. */
export interface Finding {
  readonly severity: 'error' | 'warning'
  /** Relative to the tree; `../` leads to a repository beside it. */
  readonly path: string
  readonly message: string
  /** The signature file or the document that `path` does not match: it may be the damaged file instead. */
  readonly with?: string
}

/** A signature of a document that names checksums. Paths are relative to the tree. */
export interface SignatureNote {
  readonly document: string
  /** The file that holds the signature: the document itself when that is signed inline. */
  readonly signature: string
  /** `unchecked`: no keys were given. */
  readonly outcome: 'good' | 'bad' | 'unchecked'
  /** Of a good signature: the fingerprint of the key, and its first user id. */
  readonly key?: string
  readonly signer?: string
}

/** What the documents of a tree say about files, and what is wrong with the documents themselves. */
export interface ExpectedFiles {
  readonly expected: readonly ExpectedFile[]
  readonly findings: readonly Finding[]
  /** The documents that were read, relative to the tree. */
  readonly documents: readonly string[]
  readonly signatures: readonly SignatureNote[]
}
