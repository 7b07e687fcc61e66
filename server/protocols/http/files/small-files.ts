import { LRUCache } from 'lru-cache'
import { readWhole } from '../../../files/read-whole.ts'
import type { Entry } from '../../../files/source.ts'

/** A file up to this size is sent with one write, and may be kept in memory. */
export const smallFileBytes = 64 * 1024
const cacheBytes = 16 * 1024 * 1024
/** What a file in the cache costs besides its bytes, roughly. */
const overheadBytes = 512

/**
 * A cache of the bytes of small files, by entry. An entry is one version of one file, and sources give the
 * same object while nothing changed. So nothing in the cache is stale, and a changed file is read again.
 */
export class SmallFiles {
  readonly #kept = new LRUCache<Entry, Uint8Array>({
    maxSize: cacheBytes,
    sizeCalculation: (bytes) => bytes.length + overheadBytes,
  })

  /** The bytes of the file if they are in memory. */
  peek(entry: Entry): Uint8Array | undefined {
    return entry.content ?? this.#kept.get(entry)
  }

  /** The bytes of the file, from memory or from its source. Rejects like `Entry.open`. */
  async load(entry: Entry): Promise<Uint8Array> {
    const kept = this.peek(entry)
    if (kept) return kept
    const bytes = await readWhole(entry)
    // A file that is cut while it is read gives fewer bytes than its entry says: the caller must check the
    // length.
    if (bytes.length === entry.size) this.#kept.set(entry, bytes)
    return bytes
  }
}
