import type { Description } from '../../core/tree/tree.ts'
import type { ImageListing } from '../../verify/verify-image.ts'
import type { VersionStore } from '../../versions/version-store.ts'
import type { ImportJob } from '../import/import-job.ts'
import type { ImportOptions, ImportResult } from '../import/import-tree.ts'
import type { RetryTiming } from './retry-timing.ts'

export interface MirrorOptions extends ImportOptions {
  /** Only kernel, initrd, second stage and descriptors; the packages stay with the upstream. */
  readonly bootOnly?: boolean
  /** For tests. */
  readonly fetching?: RetryTiming
}

export interface MirrorResult extends ImportResult {
  /** The upstream equals the current version: nothing was published. */
  readonly unchanged: boolean
}

/** What all steps of one mirror run share. */
export interface MirrorContext {
  readonly store: VersionStore
  readonly job: ImportJob
  /** Mirrors of the same tree, the preferred one first. */
  readonly urls: readonly string[]
  readonly options: MirrorOptions
}

/**
 * How a tree is fetched: file by file over HTTP or FTP, or by the program rsync. The steps are called in this
 * order.
 */
export interface MirrorMethod {
  probe(): Promise<Probe>
  /** Of a probe that found a file. */
  fetchFile(): Promise<FetchedFile>
  /** Of a probe that found a tree. */
  fetchTree(location: TreeLocation): Promise<FetchedTree>
  close(): Promise<void>
}

/** What the URL names: a folder with or without a `.treeinfo`, or one file that may hold a tree. */
export type Probe =
  | { readonly kind: 'tree'; readonly description: Description | undefined }
  | { readonly kind: 'file' }

/** Where the tree lies in the version that is made, and the version that it will replace. */
export interface TreeLocation {
  /** The upstream's folder relative to the version's: `BaseOS/x86_64/os`, or ''. */
  readonly prefix: string
  /** The current version, if it is a folder: files that it has need not be fetched. */
  readonly current: { readonly folder: string; readonly files: number } | undefined
}

export interface FetchedTree {
  readonly unchanged: boolean
  /** For people: what was left out, and why. */
  readonly notes: readonly string[]
  /** Why files are left out that the upstream has with other bytes than it names: one line each. */
  readonly damaged: readonly string[]
}

export interface FetchedFile {
  readonly file: string
  /** The checksum lists that name it, when signatures are checked. */
  readonly image?: ImageListing
}
