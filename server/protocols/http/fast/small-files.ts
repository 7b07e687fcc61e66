import { LRUCache } from 'lru-cache'
import { readWhole } from '../../../files/read-whole.ts'
import type { Entry } from '../../../files/source.ts'

/** A file up to this size is answered with one write, from memory when it was asked for before. */
export const smallFileBytes = 64 * 1024
const cacheBytes = 16 * 1024 * 1024

/**
 * The bytes of small files, kept by the entry they belong to. An entry is one version of one file, and sources hand
 * out the same object while nothing changed; so nothing here can be stale, and whatever changed is read anew.
 */
export class SmallFiles {
  readonly #kept = new LRUCache<Entry, Uint8Array>({
    maxSize: cacheBytes,
    sizeCalculation: (bytes) => bytes.length + 512,
  })

  /** The bytes if they are in memory. */
  peek(entry: Entry): Uint8Array | undefined {
    return entry.content ?? this.#kept.get(entry)
  }

  /** The bytes, read if need be. Fails like `Entry.open`. */
  async load(entry: Entry): Promise<Uint8Array> {
    const kept = this.peek(entry)
    if (kept) return kept
    const bytes = await readWhole(entry)
    // Cut while being read: the short answer makes the caller fail the request, and is not kept.
    if (bytes.length === entry.size) this.#kept.set(entry, bytes)
    return bytes
  }
}
