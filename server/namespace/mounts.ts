import { failureMessage } from '../core/failure.ts'
import type { Requester } from '../core/net/requester.ts'
import { folderEntry, renameEntry } from '../files/entry.ts'
import { baseName, below, type CleanPath, joinPath, rootPath } from '../files/path.ts'
import type { Entry, FileSource } from '../files/source.ts'
import { unionSource } from '../files/union.ts'

/** One row of the namespace's table: which source appears at which path. */
export interface Mount {
  readonly at: CleanPath
  readonly source: FileSource
  /** For people: what it serves, and the reason for its place in the table when the order matters. */
  readonly why: string
}

/**
 * The namespace: mounts from top to bottom. The first mount that has a path serves it. Listings of mounts at
 * the same path are merged; of two entries with the same name the earlier mount's is listed. The path of a
 * mount and the folders above it (`/trees` for a mount at `/trees/f40`) always exist, even while the mounted
 * source has no root yet. `modifiedMs` is the modification time of these folders.
 */
export function mountTable(mounts: readonly Mount[], modifiedMs = Date.now()): FileSource {
  const layers = mounts.map(({ at, source }) => ({ at, source: mountedAt(at, source, modifiedMs) }))
  const all = unionSource(...layers.map((layer) => layer.source))

  /** The mounts at, above or below a path; no other can have it. A single one is asked without a union. */
  const relatedTo = (path: CleanPath): FileSource => {
    const related = layers.filter(({ at }) => below(at, path) !== undefined || below(path, at) !== undefined)
    if (related.length === layers.length) return all
    return related.length === 1 && related[0]
      ? related[0].source
      : unionSource(...related.map((layer) => layer.source))
  }
  return {
    stat: (path, who) =>
      path === rootPath ? Promise.resolve(folderEntry('', modifiedMs)) : relatedTo(path).stat(path, who),
    list: async (path, who) =>
      (await relatedTo(path).list(path, who)) ?? (path === rootPath ? [] : undefined),
  }
}

/** What one mount does for a path. */
export interface PathExplanation {
  readonly at: CleanPath
  /** `hidden`: this mount has the path too, but an earlier mount serves it. */
  readonly outcome: 'serves' | 'fails' | 'hidden' | 'absent'
  readonly why: string
  /** The error, for `fails` and `hidden`. */
  readonly message?: string
}

/** All mounts at or above a path, from top to bottom, and which of them serves the path to this client. */
export async function explainPath(
  mounts: readonly Mount[],
  path: CleanPath,
  who: Requester,
): Promise<readonly PathExplanation[]> {
  const explained: PathExplanation[] = []
  let served = false
  for (const { at, source, why } of mounts) {
    if (below(at, path) === undefined) continue
    try {
      // Only whether the path exists counts here, so any modification time (0) does.
      const found = (await mountedAt(at, source, 0).stat(path, who)) !== undefined
      const outcome = served ? 'hidden' : 'serves'
      explained.push({ at, outcome: found ? outcome : 'absent', why })
      served ||= found
    } catch (error) {
      explained.push({ at, outcome: served ? 'hidden' : 'fails', why, message: failureMessage(error) })
      served = true
    }
  }
  return explained
}

/** A source seen from the root of the namespace. */
function mountedAt(at: CleanPath, source: FileSource, modifiedMs: number): FileSource {
  if (at === rootPath) return source
  const place = baseName(at)
  const stat = async (path: CleanPath, who: Requester): Promise<Entry | undefined> => {
    const inside = below(at, path)
    if (inside === undefined)
      return below(path, at) === undefined ? undefined : folderEntry(baseName(path), modifiedMs)
    if (inside !== rootPath) return source.stat(inside, who)
    const root = await source.stat(inside, who)
    // The root is mostly a folder, but `/ks` is a file for a machine that is a guest.
    return root ? renameEntry(root, place) : folderEntry(place, modifiedMs)
  }
  return {
    stat,
    async list(path, who) {
      const inside = below(at, path)
      if (inside !== undefined)
        return (await source.list(inside, who)) ?? (inside === rootPath ? [] : undefined)
      // Above the mount, a folder shows only the next component on the way down to it.
      const [, next = ''] = below(path, at)?.split('/') ?? []
      const child = next === '' ? undefined : await stat(joinPath(path, next), who)
      return child && [child]
    },
  }
}
