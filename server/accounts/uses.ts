import type { Use } from '../core/access/records.ts'
import type { AccountStore } from '../store/accounts.ts'
import type { Clock } from './clock.ts'

/** A use of the same token or session is stored so often at most. */
const everyMs = 60_000
/** Uses wait so long for others, to be stored with them. */
const gatherMs = 5_000

/** A `Use`, with the moment at which it was last handed to the store. */
interface Noted {
  readonly use: Use
  readonly storedUp: number | undefined
}

export interface UseNotesParts {
  readonly store: AccountStore
  readonly clock: Clock
  readonly onTrouble: (error: unknown) => void
}

/**
 * Remembers when tokens and sessions were last used. In memory it is exact; the store gets it in batches, and a crash
 * loses a minute of it.
 */
export class UseNotes {
  readonly #parts: UseNotesParts
  readonly #noted = new Map<string, Noted>()
  readonly #due = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(parts: UseNotesParts) {
    this.#parts = parts
  }

  /** The last use in this process; undefined when there was none. */
  latest(hash: string): Use | undefined {
    return this.#noted.get(hash)?.use
  }

  note(hash: string, from: string): void {
    const { clock } = this.#parts
    const before = this.#noted.get(hash)
    this.#noted.set(hash, { use: { hash, atMs: clock.now(), from }, storedUp: before?.storedUp })
    if (before?.storedUp !== undefined && clock.up() - before.storedUp < everyMs) return
    this.#due.add(hash)
    this.#timer ??= setTimeout(() => void this.flush(), gatherMs).unref()
  }

  /** Stores what waits. What cannot be stored is left to a use a minute later. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  /** Forgets all but these: tokens and sessions that are gone. */
  keepOnly(isKept: (hash: string) => boolean): void {
    for (const hash of this.#noted.keys()) if (!isKept(hash)) this.#noted.delete(hash)
  }

  async #write(): Promise<void> {
    const { store, clock, onTrouble } = this.#parts
    const due = [...this.#due].flatMap((hash) => this.#noted.get(hash) ?? [])
    this.#due.clear()
    if (due.length === 0) return
    for (const { use } of due) this.#noted.set(use.hash, { use, storedUp: clock.up() })
    try {
      await store.noteUses(due.map(({ use }) => use))
    } catch (error) {
      onTrouble(error)
    }
  }
}
