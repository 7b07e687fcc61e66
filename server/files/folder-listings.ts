import { LRUCache } from 'lru-cache'
import type { Entry } from './source.ts'

type Entries = readonly Entry[] | undefined

/**
 * How long a listing is kept. The times of its folder tell of names that were added and removed, but not of a file
 * that has grown.
 */
const keptMs = 1000
/** The number of entries that all listings together have. */
const mostEntries = 100_000

interface Listing {
  /** Inode and times of the folder before it was read. */
  readonly stamp: string
  readonly entries: Entries
  readonly untilMs: number
}

/**
 * Keeps the listings of folders for a moment, and shares one that is being read: many clients that list the same
 * folders must not make us read them as often. A folder that is as it was has the same listing again, so that
 * clients which read theirs slowly hold one in memory, and not one for each second.
 */
export class FolderListings {
  readonly #clock: () => number
  readonly #kept = new LRUCache<string, Listing>({
    maxSize: mostEntries,
    sizeCalculation: ({ entries }) => 1 + (entries?.length ?? 0),
  })
  readonly #running = new Map<string, { readonly stamp: string; readonly entries: Promise<Entries> }>()

  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock
  }

  /** The listing of a folder: as it is kept for this stamp, or as `read` reads it. */
  get(folder: string, stamp: string, read: () => Promise<Entries>): Promise<Entries> {
    const kept = this.#kept.get(folder)
    if (kept?.stamp === stamp && this.#clock() < kept.untilMs) return Promise.resolve(kept.entries)
    const running = this.#running.get(folder)
    if (running?.stamp === stamp) return running.entries
    const started = { stamp, entries: read().then((entries) => shared(kept?.entries, entries)) }
    this.#running.set(folder, started)
    const end = (): void => {
      if (this.#running.get(folder) === started) this.#running.delete(folder)
    }
    started.entries.then((entries) => {
      this.#kept.set(folder, { stamp, entries, untilMs: this.#clock() + keptMs })
      end()
    }, end)
    return started.entries
  }
}

/** The earlier listing, if the folder has not changed since. */
function shared(earlier: Entries, entries: Entries): Entries {
  if (!earlier || !entries || earlier.length !== entries.length) return entries
  const isSame = entries.every((entry, at) => {
    const before = earlier[at]
    if (before?.name !== entry.name || before.kind !== entry.kind || before.etag !== entry.etag) return false
    // A symlink may lead to the same file by another path, or be written in another way.
    return before.extent?.file === entry.extent?.file && before.target === entry.target
  })
  return isSame ? earlier : entries
}
