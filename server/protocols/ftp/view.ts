import { renameEntry } from '../../files/entry.ts'
import { baseName, below, parentPath } from '../../files/path.ts'
import type { FileSource } from '../../files/source.ts'
import type { UploadArea } from './upload-area.ts'

/** The namespace as an administrator sees it: the same, and the upload area at its place. */
export function withUploads(source: FileSource, area: UploadArea): FileSource {
  const name = baseName(area.root)
  return {
    async stat(path, who) {
      const inside = below(area.root, path)
      if (inside === undefined) return source.stat(path, who)
      const entry = await area.files.stat(inside, who)
      return entry && inside === '/' ? renameEntry(entry, name) : entry
    },
    async list(path, who) {
      const inside = below(area.root, path)
      if (inside !== undefined) return area.files.list(inside, who)
      const entries = await source.list(path, who)
      if (!entries || path !== parentPath(area.root)) return entries
      const root = await this.stat(area.root, who)
      return root ? [...entries.filter((entry) => entry.name !== name), root] : entries
    },
  }
}
