import { LRUCache } from 'lru-cache'
import type { CleanPath } from '../../../files/path.ts'
import type { Entry } from '../../../files/source.ts'
import { folderJson, folderPage } from './pages.ts'

export type FolderForm = 'page' | 'json'

/** A folder with more entries is written block by block while its client reads, and not kept. */
export const mostEntriesAtOnce = 1000
const keptBytes = 16 * 1024 * 1024

/** The listings of small folders, as they were sent last. Sources give the same list while nothing has changed. */
export class FolderPages {
  readonly #kept = new LRUCache<string, { readonly entries: readonly Entry[]; readonly bytes: Buffer }>({
    maxSize: keptBytes,
    sizeCalculation: ({ bytes }) => bytes.length + 1,
  })

  /** All bytes of the listing of a folder with at most `mostEntriesAtOnce` entries. */
  whole(form: FolderForm, path: CleanPath, entries: readonly Entry[]): Buffer {
    const key = `${form} ${path}`
    const kept = this.#kept.get(key)
    if (kept?.entries === entries) return kept.bytes
    const bytes = Buffer.concat([...this.blocks(form, path, entries)])
    this.#kept.set(key, { entries, bytes })
    return bytes
  }

  /** The same in blocks, each made when it is asked for. */
  blocks(form: FolderForm, path: CleanPath, entries: readonly Entry[]): Iterable<Buffer> {
    return form === 'page' ? folderPage(path, entries) : folderJson(path, entries)
  }
}
