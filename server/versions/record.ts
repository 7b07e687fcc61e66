import { readFile } from 'node:fs/promises'
import type { BootTestResult } from '../core/boottest/result.ts'
import { folderOfId, versionAt } from './layout.ts'

/** The record of one version of a published tree: the JSON file beside its folder, see layout.ts. */
export interface VersionRecord {
  readonly id: string
  /** Counts up from 1 for each id. A number is not used twice, until all versions of the id are removed. */
  readonly version: number
  readonly kind: 'folder' | 'iso'
  readonly publishedMs: number
  /** Where the tree came from, in words for people: a URL, a path, "an upload (/fedora-40)". */
  readonly source: string
  /** Number and bytes of its files; both 0 for a folder placed by hand that became a version. */
  readonly files: number
  readonly bytes: number
  /** Who published the version, if that is known. */
  readonly by?: string
  /** Set when the version was published in spite of faults. */
  readonly accepted?: Acceptance
  /** The documents that were signed by a given key, each with the fingerprint of that key. */
  readonly signed?: readonly { readonly document: string; readonly key: string }[]
  /** SHA-256 of its kernels, initrds and second stages as they were published, by path relative to the version; hex. */
  readonly sha256?: Readonly<Record<string, string>>
  /** What machines showed that were booted from it before it was published. */
  readonly bootTest?: readonly BootTestResult[]
  /** Where the packages are, when only what a boot needs was mirrored. */
  readonly upstream?: string
  /** The number that the folder placed by hand gets, in whose place this version was to be published. */
  readonly replaces?: number
}

/** Why a version with faults was published. */
export interface Acceptance {
  readonly by: string
  readonly why: string
  /** Each fault, as it was shown. */
  readonly faults: readonly string[]
  /** The faulty files, relative to the version. */
  readonly paths: readonly string[]
}

export function recordFile(trees: string, id: string, version: number): string {
  return `${folderOfId(trees, id)}/${version}.json`
}

/** The record of a version; undefined when it is missing or cannot be read. */
export async function readRecord(
  trees: string,
  id: string,
  version: number,
): Promise<VersionRecord | undefined> {
  try {
    const value = JSON.parse(await readFile(recordFile(trees, id, version), 'utf8')) as VersionRecord
    return value.id === id && value.version === version ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * The record of the version at a real path below `trees/`; undefined for a tree that the operator placed by
 * hand.
 */
export async function recordAt(trees: string, real: string): Promise<VersionRecord | undefined> {
  const at = versionAt(trees, real)
  return at && readRecord(trees, at.id, at.version)
}

export function recordText(record: VersionRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`
}
