import { LRUCache } from 'lru-cache'
import type { Entry, OpenFile } from '../../files/source.ts'

/** The most files that are kept open. NFS has no open and no close, so a file stays open between reads. */
const maxOpenFiles = 128
/** A file that no client has read for this long is closed. */
const idleMs = 5_000

interface Held {
  readonly file: Promise<OpenFile>
  users: number
  /** Whether it is to be closed when it has no users. */
  dropped: boolean
}

/** Keeps files open, by path and validator (ETag): a new version of a file is opened anew. */
export class OpenFiles {
  readonly #held: LRUCache<string, Held>

  constructor(limits: { readonly max?: number; readonly idleMs?: number } = {}) {
    this.#held = new LRUCache<string, Held>({
      max: limits.max ?? maxOpenFiles,
      ttl: limits.idleMs ?? idleMs,
      ttlAutopurge: true,
      updateAgeOnGet: true,
      dispose: (held) => drop(held),
    })
  }

  get size(): number {
    return this.#held.size
  }

  /**
   * Calls `act` with the open file of an entry. A file that is dropped meanwhile is closed after the last
   * call.
   */
  async use<T>(path: string, entry: Entry, act: (file: OpenFile) => Promise<T>): Promise<T> {
    const key = `${entry.etag}\0${entry.size}\0${path}`
    let held = this.#held.get(key)
    if (!held) {
      held = { file: entry.open(), users: 0, dropped: false }
      this.#held.set(key, held)
    }
    held.users++
    try {
      return await act(await held.file)
    } catch (error) {
      // After any error the next call opens the file again.
      if (this.#held.peek(key) === held) this.#held.delete(key)
      throw error
    } finally {
      held.users--
      closeUnused(held)
    }
  }

  /** Closes all files. A file in use is closed after its last call. */
  close(): void {
    this.#held.clear()
  }
}

function drop(held: Held): void {
  held.dropped = true
  closeUnused(held)
}

function closeUnused(held: Held): void {
  if (!held.dropped || held.users > 0) return
  held.users = Number.NEGATIVE_INFINITY // so that no later call closes it again
  held.file.then((file) => file.close()).catch(() => undefined)
}
