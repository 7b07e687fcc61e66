import type { Distro } from '../distro/distro.ts'
import type { Description } from './description.ts'

export type {
  Description,
  Digest,
  DigestAlgorithm,
  NeededFile,
  PlatformImages,
  Repository,
  TreeProblem,
} from './description.ts'

/**
 * `incoming`: a copy is still under way. `verifying`: complete, and digests are being checked. `ready`: it
 * can be selected and booted, as no other state can. `broken`: `reasons` say why.
 */
export type TreeState = 'incoming' | 'verifying' | 'ready' | 'broken'

/** One published version of a tree, or of several that were published together. */
export interface Release {
  /** What it was published as: the id of the tree, or the path above the trees of one mirror. */
  readonly id: string
  /** Counts up from 1. */
  readonly version: number
  /** Real path of its folder. */
  readonly folder: string
}

/** A tree as the catalog knows it: a description, with its place, its id and its state. */
export interface Tree extends Description {
  /** Its path below `trees/`, without slashes at the ends; also its place in URLs: `/trees/<id>/`. */
  readonly id: string
  readonly distro: Distro
  readonly origin:
    | { readonly kind: 'folder'; readonly path: string }
    /**
     * `path` is the image file on the disk; `name` is its name in the namespace, beside the folder with its
     * files; `size` is in bytes.
     */
    | { readonly kind: 'iso'; readonly path: string; readonly name: string; readonly size?: number }
  /** The version that treeboot published; absent for a tree that the operator copied into `trees/`. */
  readonly release?: Release
  /** URL of the whole tree, when only its boot files are here: installers take their packages from there. */
  readonly upstream?: string
  readonly state: TreeState
  /** Why it is `broken` or still `incoming`; empty when ready. */
  readonly reasons: readonly string[]
  /** What an operator can do about it, where the reasons do not say it. */
  readonly remedy?: string
  /**
   * The files of a `ready` tree whose digests nobody has checked. A server never offers such a tree; a command that
   * was told not to verify does.
   */
  readonly unverified?: readonly string[]
  /**
   * Sizes in bytes of the images that the platforms and stage 2 name, by relative path; a missing one is
   * absent.
   */
  readonly sizes: Readonly<Record<string, number>>
  /** SHA-256 of kernels, initrds and second stages as they are here, by relative path; hex. A ready tree has all. */
  readonly sha256: Readonly<Record<string, string>>
  /** Newest modification among its descriptor and images; breaks ties between equal versions. */
  readonly modifiedMs: number
  /** For a tree with the initrd of a disc, where its network boot comes from: of the other trees and the configuration. */
  readonly netbootRemedy?: string
}
