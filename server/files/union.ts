import type { Requester } from '../core/net/requester.ts'
import { byName } from './entry.ts'
import { type CleanPath, parentPath, rootPath } from './path.ts'
import type { Entry, FileSource } from './source.ts'

/**
 * Sources on top of one another, the first one uppermost: the first that has a path wins, folders show what all of
 * them hold, and a file hides a folder of the same name below it together with all that is in there.
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
      const merged = new Map<string, Entry>()
      let isFolder = false
      for (const source of sources) {
        const entry = await source.stat(path, who)
        if (entry?.kind === 'file') break
        const entries = entry && (await source.list(path, who))
        if (!entries) {
          if (await anyFileOnTheWay([source], path, who)) break
          continue
        }
        isFolder = true
        for (const each of entries) if (!merged.has(each.name)) merged.set(each.name, each)
      }
      return isFolder ? [...merged.values()].sort(byName) : undefined
    },
  }
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
