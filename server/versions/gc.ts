import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { folderOfVersion } from './layout.ts'
import { lastCurrentFirst } from './recover.ts'
import type { VersionStore, VersionView } from './version-store.ts'

export interface GcOptions {
  /** How many earlier versions of each tree stay in any case. */
  readonly keep: number
  /**
   * A version that was replaced less than this long ago stays, so that a machine can finish an installation
   * from it. An installation may take a day.
   */
  readonly graceMs: number
  /** Versions that a machine is installing from, as `id@version`. */
  readonly pinned: ReadonlySet<string>
  readonly nowMs: number
}

export interface GcPlan {
  readonly remove: readonly VersionView[]
  /** Earlier versions that stay, and why. */
  readonly stay: readonly { readonly version: VersionView; readonly why: string }[]
  /** How many bytes deleting would free. A file that another version shares by a hard link frees nothing. */
  readonly bytes: number
}

/** Finds the versions that no machine needs. It reads the disk to count bytes, and deletes nothing. */
export async function planGc(
  store: VersionStore,
  ids: readonly string[],
  options: GcOptions,
): Promise<GcPlan> {
  const remove: VersionView[] = []
  const stay: { version: VersionView; why: string }[] = []
  for (const id of ids) {
    // `rollback` goes to the version that was current last, which after a rollback is not the highest number.
    const earlier = (await store.versions(id)).filter((version) => !version.current).sort(lastCurrentFirst)
    const needed = await store.neededVersion(id)
    for (const [at, version] of earlier.entries()) {
      const why = version.version === needed?.version ? needed.why : reasonToStay(version, at, options)
      if (why === undefined) remove.push(version)
      else stay.push({ version, why })
    }
  }
  return { remove, stay, bytes: await bytesFreed(store.trees, remove) }
}

/**
 * Why an earlier version stays; undefined when no machine needs it.
 *
 * @param newer How many of the tree's other earlier versions were current after this one.
 */
export function reasonToStay(version: VersionView, newer: number, options: GcOptions): string | undefined {
  const { keep, graceMs, pinned, nowMs } = options
  if (pinned.has(`${version.id}@${version.version}`)) return 'a machine is installing from it'
  if (newer < keep) return keep === 1 ? 'the one to roll back to' : `one of the last ${keep}`
  // `trees gc` passes a day; or 0, with which no version stays for this reason.
  if (version.retiredMs !== undefined && nowMs - version.retiredMs < graceMs)
    return 'replaced less than a day ago: a machine may still be installing from it'
  return undefined
}

/** One file of the versions that are to be removed. */
interface CountedInode {
  /** How many names it has on the whole disk. */
  readonly links: number
  /** How many of these names were found in the versions. */
  seen: number
  readonly bytes: number
}

/** Disk space, in bytes, of the files whose hard links are all in these versions. */
async function bytesFreed(trees: string, versions: readonly VersionView[]): Promise<number> {
  // By number alone: all versions are in the file system of `trees/`.
  const inodes = new Map<number, CountedInode>()
  for (const { id, version } of versions) await countInodes(folderOfVersion(trees, id, version), inodes)
  let bytes = 0
  for (const inode of inodes.values()) if (inode.seen >= inode.links) bytes += inode.bytes
  return bytes
}

async function countInodes(folder: string, inodes: Map<number, CountedInode>): Promise<void> {
  for (const item of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, item.name)
    if (item.isDirectory()) await countInodes(path, inodes)
    else if (item.isFile()) {
      const { ino, nlink, blocks } = await lstat(path)
      const counted = inodes.get(ino)
      if (counted) counted.seen++
      // `blocks` are of 512 bytes on every file system (stat(2)).
      else inodes.set(ino, { links: nlink, seen: 1, bytes: blocks * 512 })
    }
  }
}
