import { baseName, below, type CleanPath, parentPath } from './path.ts'
import type { FileSource } from './source.ts'

/** Hides one folder of a source: lookups of it and below it find nothing, and no listing names it. */
export function withoutFolder(source: FileSource, folder: CleanPath): FileSource {
  const isHidden = (path: CleanPath): boolean => below(folder, path) !== undefined
  return {
    stat: (path, who) => (isHidden(path) ? Promise.resolve(undefined) : source.stat(path, who)),
    async list(path, who) {
      if (isHidden(path)) return undefined
      const entries = await source.list(path, who)
      if (path !== parentPath(folder)) return entries
      return entries?.filter((entry) => entry.name !== baseName(folder))
    },
  }
}
