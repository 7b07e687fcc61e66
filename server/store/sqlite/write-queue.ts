import type { FileHandle } from 'node:fs/promises'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import type { Database } from 'better-sqlite3'
import { type Kysely, sql, type Transaction } from 'kysely'
import { isDiskFull } from '../../core/failure.ts'
import type { Tables } from '../schema/tables.ts'

/** How long one statement may wait for the lock of another process. The wait blocks the event loop. */
export const busyTimeoutMs = 100
/**
 * How often a transaction is tried: with the waits, for two to six seconds. The pause between two tries does not
 * block the event loop.
 */
const mostTries = 40
export const pauseMs = 50

/** The most writes that share a commit. A write takes about a millisecond. */
const mostPerCommit = 256
/** After so many writes the event loop gets a turn. */
const turnEvery = 8

/** The statements of one write. Resolves to the number of guests' states that it changed. */
export type Work = (trx: Transaction<Tables>) => Promise<number>

export interface WriteOptions {
  /** See `ChangeOptions` in store.ts. */
  readonly durableFirst?: boolean
  /** Whether the space may be used up that is kept for states of guests, and for who ordered them. */
  readonly isState?: boolean
}

interface QueuedWrite extends WriteOptions {
  readonly work: Work
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

export interface WriteQueueParts {
  readonly raw: Database
  readonly db: Kysely<Tables>
  /** The write-ahead log, which is synced after each commit. */
  readonly wal: FileHandle
  /** Gives space up for a commit that the disk has no room for. False when there is none to give. */
  readonly giveSpace: () => Promise<boolean>
  /** Called when states were changed and are on the disk; the promises of these changes wait for it. */
  readonly onChanges: (changes: number) => Promise<void>
}

/**
 * Writes to a SQLite file in WAL mode, one commit after the other.
 *
 * The state `installed` must survive a power cut, so a write resolves when it is on the disk. SQLite would
 * block the event loop during the sync, which takes 20 ms and more on a busy disk. So SQLite commits without
 * a sync, and we sync the WAL in another thread. Writes that come meanwhile share the next commit: a whole
 * rack that boots at once costs a few syncs instead of hundreds. A commit with a `durableFirst` write is synced
 * by SQLite itself, before anybody can see it.
 */
export class WriteQueue {
  readonly #parts: WriteQueueParts
  readonly #queue: QueuedWrite[] = []
  #writing: Promise<void> | undefined

  constructor(parts: WriteQueueParts) {
    this.#parts = parts
  }

  write(work: Work, options: WriteOptions = {}): Promise<void> {
    const written = new Promise<void>((done, failed) => {
      this.#queue.push({ ...options, work, done, failed })
    })
    this.#writing ??= this.#writeAll()
    return written
  }

  /** Waits for all writes. */
  async end(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
  }

  async #writeAll(): Promise<void> {
    // All writes that begin in this turn of the event loop share the commit.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, mostPerCommit)
      try {
        const changes = await this.#commit(batch)
        await this.#parts.wal.datasync()
        if (changes !== undefined) await this.#parts.onChanges(changes)
        for (const { done } of batch) done()
      } catch (error) {
        for (const { failed } of batch) failed(error)
      }
    }
    this.#writing = undefined
  }

  /**
   * Runs all writes in one transaction. Tries again while another process has the lock, and once more with the
   * space that was kept for this case. Resolves to the new number of changes, if there was one.
   */
  async #commit(batch: readonly QueuedWrite[]): Promise<number | undefined> {
    const { raw, giveSpace } = this.#parts
    const isState = batch.some((write) => write.isState)
    for (let tries = 1; ; tries++) {
      raw.pragma(`synchronous = ${batch.some((write) => write.durableFirst) ? 'FULL' : 'NORMAL'}`)
      try {
        return await this.#transaction(batch)
      } catch (error) {
        if (isBusy(error) && tries < mostTries) await pause(pauseMs)
        else if (!isDiskFull(error) || !isState || !(await giveSpace())) throw error
      }
    }
  }

  async #transaction(batch: readonly QueuedWrite[]): Promise<number | undefined> {
    const trx = await this.#parts.db.startTransaction().execute()
    try {
      // The first statement is a write. It takes the lock, so that no other process changes what we read next.
      await trx.updateTable('meta').set({ value: '' }).where('key', '=', 'lock').execute()
      let changed = 0
      for (const [n, { work }] of batch.entries()) {
        if (n % turnEvery === turnEvery - 1) await nextTurn()
        changed += await work(trx)
      }
      const changes = changed === 0 ? undefined : await countChanges(trx, changed)
      await trx.commit().execute()
      return changes
    } catch (error) {
      // After SQLITE_FULL and some others SQLite has rolled back by itself, and ROLLBACK is an error. The error to
      // report is the first one in any case. Kysely must hear of the end, or it keeps the connection.
      await trx
        .rollback()
        .execute()
        .catch(() => undefined)
      throw error
    }
  }
}

async function countChanges(trx: Transaction<Tables>, changed: number): Promise<number> {
  const { value } = await trx
    .updateTable('meta')
    .set({ value: sql<string>`cast(cast(value as integer) + ${changed} as text)` })
    .where('key', '=', 'changes')
    .returning('value')
    .executeTakeFirstOrThrow()
  return Number(value)
}

function isBusy(error: unknown): boolean {
  return String((error as { code?: unknown } | undefined)?.code).startsWith('SQLITE_BUSY')
}
