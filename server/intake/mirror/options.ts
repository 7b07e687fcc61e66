import type { Description } from '../../core/tree/tree.ts'
import type { ImageListing } from '../../verify/verify-image.ts'
import type { VersionStore } from '../../versions/version-store.ts'
import type { ImportJob } from '../import/import-job.ts'
import type { ImportOptions, ImportResult } from '../import/import-tree.ts'
import type { AddressGuard } from './address-guard.ts'
import type { RetryTiming } from './retry-timing.ts'

export interface MirrorOptions extends ImportOptions {
  /** Only kernel, initrd, second stage and descriptors; the packages stay with the upstream. */
  readonly bootOnly?: boolean
  /** Which addresses may be asked. Default: all, as for a person at the command line. */
  readonly guard?: AddressGuard
  /** How retries wait: for tests. */
  readonly fetching?: RetryTiming
}

export interface MirrorResult extends ImportResult {
  /** True when the upstream equals the current version, and nothing was published. */
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
 * How a tree is fetched: file by file over HTTP or FTP, or by the program rsync. Calls come in this order:
 * `probe`, then `fetchFile` or `fetchTree`, then `close`.
 */
export interface MirrorMethod {
  probe(): Promise<Probe>
  /** Called after a probe that found a file. */
  fetchFile(): Promise<FetchedFile>
  /** Called after a probe that found a tree. */
  fetchTree(destination: TreeDestination): Promise<FetchedTree>
  /** Closes the connections to the mirrors. */
  close(): Promise<void>
}

/** What the URL names: a folder with or without a `.treeinfo`, or one file that may hold a tree. */
export type Probe =
  | { readonly kind: 'tree'; readonly description: Description | undefined }
  | { readonly kind: 'file' }

/** Where the tree goes in the new version, and the version that the new one replaces. */
export interface TreeDestination {
  /** The folder of the tree, relative to the new version: `BaseOS/x86_64/os`, or ''. */
  readonly prefix: string
  /** The current version, if it is a folder: files that it has need not be fetched. */
  readonly current: { readonly folder: string; readonly files: number } | undefined
}

export interface FetchedTree {
  readonly unchanged: boolean
  /** For people: what was left out, and why. */
  readonly notes: readonly string[]
  /** One line for each file that is left out because the upstream does not have it with the named bytes. */
  readonly damaged: readonly string[]
  /** Local paths of the documents by which they are damaged. */
  readonly suspects: Iterable<string>
}

export interface FetchedFile {
  /** Its path on the disk, in the folder of the job. */
  readonly file: string
  /** The checksum lists beside the file, when signatures are checked. */
  readonly listing?: ImageListing
}
