import type { Requester } from '../core/net/requester.ts'
import { byName } from './entry.ts'
import { type CleanPath, parentPath, rootPath } from './path.ts'
import type { Entry, FileSource } from './source.ts'

/**
 * Lays sources over one another, the first one uppermost. The first source that has a path wins, and a folder
 * lists the entries of all sources. A file hides a folder of the same name in a source below, and everything
 * in that folder.
 */
export function unionSource(...sources: readonly FileSource[]): FileSource {
  return {
    async stat(path, who) {
      for (const [depth, source] of sources.entries()) {
        const entry = await source.stat(path, who)
        if (!entry) continue
        return (await anyFileOnTheWay(sources.slice(0, depth), path, who)) ? undefined : entry
      }
      return undefined
    },
    async list(path, who) {
      const listings: (readonly Entry[])[] = []
      for (const source of sources) {
        const listing = await layerAt(source, path, who)
        if (listing === 'hides') break
        if (listing) listings.push(listing)
      }
      // The same list, so that what is cached by it stays cached.
      return listings.length > 1 ? merge(listings) : listings[0]
    },
  }
}

/**
 * What one source lists at a path. `hides` when it has a file there or above it, so that no source below
 * counts; undefined when it has nothing there.
 */
async function layerAt(
  source: FileSource,
  path: CleanPath,
  who: Requester,
): Promise<readonly Entry[] | 'hides' | undefined> {
  const entry = await source.stat(path, who)
  if (entry?.kind === 'file') return 'hides'
  const entries = entry && (await source.list(path, who))
  if (entries) return entries
  return (await anyFileOnTheWay([source], path, who)) ? 'hides' : undefined
}

/** Of entries with the same name, the one of the first listing stays. */
function merge(listings: readonly (readonly Entry[])[]): Entry[] {
  const merged = new Map<string, Entry>()
  for (const entries of listings)
    for (const entry of entries) if (!merged.has(entry.name)) merged.set(entry.name, entry)
  return [...merged.values()].sort(byName)
}

/** Whether one of the sources has a file where `path` would need a folder. */
async function anyFileOnTheWay(
  sources: readonly FileSource[],
  path: CleanPath,
  who: Requester,
): Promise<boolean> {
  for (const source of sources)
    for (let folder = parentPath(path); folder !== rootPath; folder = parentPath(folder)) {
      const entry = await source.stat(folder, who)
      if (entry) {
        if (entry.kind === 'file') return true
        break // a folder's ancestors are folders
      }
    }
  return false
}
