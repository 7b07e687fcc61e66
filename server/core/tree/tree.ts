import type { Distro } from '../distro/distro.ts'

/** Which kind of descriptor told us what this tree is. `treeinfo-0.0` is the pre-productmd form without `[header]`. */
export type DescriptorEra =
  | 'treeinfo-0.0'
  | 'treeinfo-0.3'
  | 'treeinfo-1.0'
  | 'treeinfo-1.1'
  | 'treeinfo-1.2'
  | 'discinfo'
  | 'disk-info'
  | 'suse-content'
  | 'suse-media'
  | 'manifest'
  | 'mageia-version'
  | 'version-info'
  | 'files-only'

/**
 * `incoming`: a copy is still under way. `verifying`: complete, digests are being checked, and it is offered
 * meanwhile only if `offerWhileVerifying` says so. `ready`: offered. `broken`: not offered, `reasons` say why.
 */
export type TreeState = 'incoming' | 'verifying' | 'ready' | 'broken'

/** The images that boot one platform (`x86_64`, `xen`, `ppc64`, `lpae`, ...). Paths are relative to the tree. */
export interface PlatformImages {
  readonly kernel?: string
  readonly initrd?: string
  /** Everything else that the section names: boot.iso, efiboot.img, dtb directories, ... by its key. */
  readonly others: Readonly<Record<string, string>>
}

export interface Repository {
  /** Variant or add-on id as the descriptor spells it; `` for a repository without one. */
  readonly id: string
  readonly name: string
  readonly kind: 'variant' | 'optional' | 'addon' | 'module' | 'repository'
  /** The folder that holds `repodata/`, relative to the tree; `.` is the tree itself, `../../../AppStream/x86_64/os` a sibling. */
  readonly path: string
}

export type DigestAlgorithm = 'md5' | 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512'

export interface Digest {
  readonly algorithm: DigestAlgorithm
  /** Lower-case hex. */
  readonly hex: string
}

/** Something odd in a descriptor or a tree that did not stop us from reading it. */
export interface Problem {
  /** Line in the descriptor, from 1. */
  readonly line?: number
  /** File it was found in, relative to the tree. */
  readonly file?: string
  readonly message: string
}

/** What one descriptor says, before anyone looked whether it is true. Every reader gives this shape. */
export interface Description {
  readonly era: DescriptorEra
  readonly family: string
  readonly version: string
  readonly variant: string
  readonly arch: string
  readonly platforms: Readonly<Record<string, PlatformImages>>
  /** Second-stage image relative to the tree: `images/install.img`, `LiveOS/squashfs.img`. */
  readonly stage2?: string
  /** Secondary second-stage key of old trees (`instimage`). */
  readonly instimage?: string
  readonly repositories: readonly Repository[]
  /** Path relative to the tree -> digest. */
  readonly checksums: Readonly<Record<string, Digest>>
  /** Seconds since 1970, when the descriptor tells. */
  readonly timestamp?: number
  readonly disc?: { readonly number: number; readonly total: number }
  /** Release code name (Debian `bookworm`), when the descriptor tells. */
  readonly codename?: string
  readonly problems: readonly Problem[]
}

/** One published version of a tree, or of several that were published together. */
export interface Release {
  /** What it was published as: the id of the tree, or the path above the trees of one mirror. */
  readonly id: string
  /** Counts up from 1. */
  readonly version: number
  /** Real path of its folder. */
  readonly folder: string
}

/** A tree as the catalog knows it: a description plus where it lies, what it is called and whether it is whole. */
export interface Tree extends Description {
  /** Its path below `trees/`, without slashes at the ends; also its place in URLs: `/trees/<id>/`. */
  readonly id: string
  readonly distro: Distro
  readonly origin:
    | { readonly kind: 'folder'; readonly path: string }
    /** `path` is the image itself, `name` what it is called beside the place where its files appear. */
    | { readonly kind: 'iso'; readonly path: string; readonly name: string }
  /** The version that treeboot published; absent for what the operator copied into `trees/`. */
  readonly release?: Release
  /** URL of the whole tree, of which only what boots is here: installers take their packages from there. */
  readonly upstream?: string
  readonly state: TreeState
  /** Why it is `broken` or still `incoming`; empty when ready. */
  readonly reasons: readonly string[]
  /** Sizes in bytes of the images that the platforms and stage 2 name, by relative path; a missing one is absent. */
  readonly sizes: Readonly<Record<string, number>>
  /** Newest modification among its descriptor and images; breaks ties between equal versions. */
  readonly modifiedMs: number
}
