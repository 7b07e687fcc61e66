import { randomBytes } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import type { Database, Statement } from 'better-sqlite3'
import { Kysely, Migrator, SqliteDialect, type Transaction } from 'kysely'
import { Failure, failureMessage } from '../../core/failure.ts'
import { mergeSeen, type UnknownMachine } from '../../core/guest/seen-machine.ts'
import type { GuestState } from '../../core/guest/state.ts'
import { migrationProvider, type Tables } from '../schema/tables.ts'
import { type Decide, historyKept, type Store, unknownMachinesKept } from '../store.ts'
import { entryOfRow, rowOfState, rowOfUnknownMachine, stateOfRow, unknownMachineOfRow } from './rows.ts'

/** How long one statement may wait for the lock of another process. The wait blocks the event loop. */
export const busyTimeoutMs = 100
/**
 * How often a transaction is tried: with the waits, for two to six seconds. The pause between two tries does not
 * block the event loop.
 */
const mostTries = 40
/** How often the migration is tried: another process may be migrating. */
const mostMigrationTries = 5
const pauseMs = 50

/** The statements of one write. */
type Work = (trx: Transaction<Tables>) => Promise<void>

/** The most writes that share a commit. A write takes about a millisecond. */
const mostPerCommit = 256
/** After so many writes the event loop gets a turn. */
const turnEvery = 8
/**
 * A new history line deletes old lines of its guest only when its id is a multiple of this number. So the
 * table may hold more lines of a guest than `historyKept`.
 */
const pruneEvery = 16n

interface QueuedWrite {
  readonly work: Work
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

/**
 * A store in one SQLite file in WAL mode: readers never wait for the writer, and other processes (the
 * commands) may use it at the same time.
 *
 * The state `installed` must survive a power cut, so a write resolves when it is on the disk. SQLite would
 * block the event loop during the sync, which takes 20 ms and more on a busy disk. So SQLite commits without
 * a sync, and we sync the WAL in another thread. Writes that come meanwhile share the next commit: a whole
 * rack that boots at once costs a few syncs instead of hundreds.
 */
export class SqliteStore implements Store {
  readonly #raw: Database
  readonly #db: Kysely<Tables>
  #wal: FileHandle | undefined
  /** Reads a number that changes when another connection has written to the file. */
  readonly #dataVersion: Statement
  #lastDataVersion: unknown
  readonly #queue: QueuedWrite[] = []
  #writing: Promise<void> | undefined

  constructor(raw: Database) {
    this.#raw = raw
    this.#db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: raw }) })
    this.#dataVersion = raw.prepare('pragma data_version').pluck()
    this.#lastDataVersion = this.#dataVersion.get()
  }

  /**
   * Migrates the tables to the newest form. Must be called first. Two processes may migrate at once: the
   * second one finds the tables up to date.
   */
  async migrate(): Promise<void> {
    const migrator = new Migrator({ db: this.#db, provider: migrationProvider })
    for (let tries = 1; ; tries++) {
      const { error } = await migrator.migrateToLatest()
      if (error === undefined) {
        // The WAL stays the same file until the last connection closes: a checkpoint overwrites it from its
        // start.
        this.#wal = await open(`${this.#raw.name}-wal`, 'r')
        return this.#wal.sync()
      }
      // kysely: "corrupted migrations: previously executed migration 0002-... is missing".
      if (/previously executed migration/.test(failureMessage(error)))
        throw new Failure(
          'unsupported',
          'it was written by a newer version of treeboot; use that version, or set another paths.data',
        )
      if (tries >= mostMigrationTries) throw error
      await pause(pauseMs)
    }
  }

  async states(): Promise<ReadonlyMap<string, GuestState>> {
    const rows = await this.#db.selectFrom('guests').selectAll().execute()
    return new Map(rows.map((row) => [row.name, stateOfRow(row)]))
  }

  async change(guest: string, decide: Decide): Promise<GuestState | undefined> {
    let result: GuestState | undefined
    await this.#write(async (trx) => {
      const row = await trx.selectFrom('guests').selectAll().where('name', '=', guest).executeTakeFirst()
      const before = row && stateOfRow(row)
      const change = decide(before)
      result = change?.state ?? before
      if (!change) return
      const written = rowOfState(guest, change.state)
      await trx
        .insertInto('guests')
        .values(written)
        .onConflict((conflict) => conflict.column('name').doUpdateSet(written))
        .execute()
      const { atMs, ...step } = change.entry
      const line = { guest, at_ms: atMs, ...step }
      const { insertId = 0n } = await trx.insertInto('steps').values(line).executeTakeFirstOrThrow()
      if (insertId % pruneEvery !== 0n) return
      await trx
        .deleteFrom('steps')
        .where('guest', '=', guest)
        .where('id', '<=', (query) =>
          query
            .selectFrom('steps')
            .select('id')
            .where('guest', '=', guest)
            .orderBy('id', 'desc')
            .limit(1)
            .offset(historyKept),
        )
        .execute()
    })
    return result
  }

  async history(guest: string, installNumber?: number) {
    let query = this.#db.selectFrom('steps').selectAll().where('guest', '=', guest)
    if (installNumber !== undefined) query = query.where('install', '=', installNumber)
    const rows = await query.orderBy('id', 'desc').limit(historyKept).execute()
    return rows.reverse().map(entryOfRow)
  }

  async unknownMachines(): Promise<readonly UnknownMachine[]> {
    const rows = await this.#db.selectFrom('inbox').selectAll().orderBy('last_ms', 'desc').execute()
    return rows.map(unknownMachineOfRow)
  }

  addUnknownMachines(machines: readonly UnknownMachine[]): Promise<void> {
    return this.#write(async (trx) => {
      for (const machine of machines) {
        const row = await trx.selectFrom('inbox').selectAll().where('id', '=', machine.id).executeTakeFirst()
        const written = rowOfUnknownMachine(row ? mergeSeen(unknownMachineOfRow(row), machine) : machine)
        await trx
          .insertInto('inbox')
          .values(written)
          .onConflict((conflict) => conflict.column('id').doUpdateSet(written))
          .execute()
      }
      await trx
        .deleteFrom('inbox')
        .where('id', 'in', (query) =>
          query
            .selectFrom('inbox')
            .select('id')
            .orderBy('last_ms', 'desc')
            .limit(-1) // SQLite knows OFFSET only after LIMIT; -1 is no limit
            .offset(unknownMachinesKept),
        )
        .execute()
    })
  }

  async forgetUnknownMachine(id: string): Promise<boolean> {
    let found = false
    await this.#write(async (trx) => {
      const { numDeletedRows } = await trx.deleteFrom('inbox').where('id', '=', id).executeTakeFirst()
      found = numDeletedRows > 0n
    })
    return found
  }

  async secret(): Promise<Uint8Array> {
    const stored = await this.#secret()
    if (stored !== undefined) return Buffer.from(stored, 'hex')
    await this.#write(async (trx) => {
      const value = randomBytes(32).toString('hex')
      await trx
        .insertInto('meta')
        .values({ key: 'secret', value })
        .onConflict((conflict) => conflict.column('key').doNothing())
        .execute()
    })
    return Buffer.from((await this.#secret()) ?? '', 'hex')
  }

  changedElsewhere(): boolean {
    const version: unknown = this.#dataVersion.get()
    const changed = version !== this.#lastDataVersion
    this.#lastDataVersion = version
    return changed
  }

  /** Waits for all writes, then closes the file. */
  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
    await this.#db.destroy()
    await this.#wal?.close()
  }

  async #secret(): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom('meta')
      .select('value')
      .where('key', '=', 'secret')
      .executeTakeFirst()
    return row?.value
  }

  #write(work: Work): Promise<void> {
    const written = new Promise<void>((done, failed) => {
      this.#queue.push({ work, done, failed })
    })
    this.#writing ??= this.#writeAll()
    return written
  }

  async #writeAll(): Promise<void> {
    // All writes that begin in this turn of the event loop share the commit.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, mostPerCommit)
      try {
        await this.#commit(batch)
        await this.#wal?.datasync()
        for (const { done } of batch) done()
      } catch (error) {
        for (const { failed } of batch) failed(error)
      }
    }
    this.#writing = undefined
  }

  /** Runs all writes in one transaction, and tries again while another process has the lock. */
  async #commit(batch: readonly QueuedWrite[]): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#db.transaction().execute(async (trx) => {
          // The first statement is a write. It takes the lock, so that no other process changes what we read
          // next.
          await trx.updateTable('meta').set({ value: '' }).where('key', '=', 'lock').execute()
          for (const [n, { work }] of batch.entries()) {
            if (n % turnEvery === turnEvery - 1) await nextTurn()
            await work(trx)
          }
        })
      } catch (error) {
        if (!isBusy(error) || tries >= mostTries) throw error
        await pause(pauseMs)
      }
    }
  }
}

function isBusy(error: unknown): boolean {
  return String((error as { code?: unknown } | undefined)?.code).startsWith('SQLITE_BUSY')
}
