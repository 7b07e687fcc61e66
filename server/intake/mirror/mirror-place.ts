import { Failure } from '../../core/failure.ts'
import { folderOfVersion } from '../../versions/layout.ts'
import type { VersionStore } from '../../versions/version-store.ts'

/** The version of a tree that everyone sees, if it is a folder: what it has need not be fetched again. */
export async function earlierOf(
  store: VersionStore,
  id: string,
): Promise<{ folder: string; files: number } | undefined> {
  const current = (await store.versions(id)).find((version) => version.current && version.kind === 'folder')
  return current && { folder: folderOfVersion(store.trees, id, current.version), files: current.files }
}

/** `https://host/9/BaseOS/x86_64/os/` with 3 is `BaseOS/x86_64/os`. */
export function lastFolders(url: string, count: number): string {
  if (count === 0) return ''
  const parts = decodeURIComponent(new URL(url).pathname).split('/').filter(Boolean)
  if (parts.length < count)
    throw new Failure(
      'invalid-data',
      `${url} names repositories ${count} folders above it, and there are none`,
    )
  return parts.slice(-count).join('/')
}
