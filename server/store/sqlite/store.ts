import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Database, Statement } from 'better-sqlite3'
import { Kysely, Migrator, SqliteDialect, type Transaction } from 'kysely'
import { Failure, failureMessage } from '../../core/failure.ts'
import type { StoreMark, StorePast } from '../../core/guest/doubt.ts'
import type { MachineIdentity } from '../../core/guest/identity.ts'
import { mergeSeen, type UnknownMachine } from '../../core/guest/seen-machine.ts'
import type { GuestState } from '../../core/guest/state.ts'
import { syncFolder } from '../../host/atomic-write.ts'
import { migrationProvider, type Tables } from '../schema/tables.ts'
import {
  type ChangeOptions,
  type Decide,
  historyKept,
  type RecordChange,
  type Store,
  unknownMachinesKept,
} from '../store.ts'
import { SqliteAccounts } from './accounts.ts'
import { SqliteBoots } from './boots.ts'
import { changeGuest, recordOne, setMeta } from './guest-writes.ts'
import { pastOfMeta } from './past.ts'
import { entryOfRow, identityOfRow, rowOfUnknownMachine, stateOfRow, unknownMachineOfRow } from './rows.ts'
import { SqliteWebhooks } from './webhooks.ts'
import { pauseMs, type Work, type WriteOptions, WriteQueue } from './write-queue.ts'

/** How often the migration is tried: another process may be migrating. */
const mostMigrationTries = 5

/** Whom a store tells of its writes, and asks for space. */
export interface SqliteStoreOptions {
  /** Gives space up for a commit that the disk has no room for. False when there is none to give. */
  readonly giveSpace: () => Promise<boolean>
  /**
   * Called after changes of guests' states, when they are on the disk and before their promises resolve. True when a
   * witness was written.
   */
  readonly witness: (mark: StoreMark) => Promise<boolean>
}

/**
 * A store in one SQLite file in WAL mode: readers never wait for the writer, and other processes (the
 * commands) may use it at the same time. `WriteQueue` says how its writes become durable.
 */
export class SqliteStore implements Store {
  readonly accounts: SqliteAccounts
  readonly boots: SqliteBoots
  readonly webhooks: SqliteWebhooks
  readonly #raw: Database
  readonly #options: SqliteStoreOptions
  readonly #db: Kysely<Tables>
  #writes: WriteQueue | undefined
  #closeWal: () => Promise<void> = async () => {}
  /** Reads a number that changes when another connection has written to the file. */
  readonly #dataVersion: Statement
  #lastDataVersion: unknown

  constructor(raw: Database, options: SqliteStoreOptions) {
    this.#raw = raw
    this.#options = options
    this.#db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: raw }) })
    const write = (work: Work, options?: WriteOptions) => this.#queue.write(work, options)
    this.accounts = new SqliteAccounts({ raw, db: this.#db, write })
    this.boots = new SqliteBoots(this.#db, (work) => this.#queue.write(work))
    this.webhooks = new SqliteWebhooks(this.#db, (work) => this.#queue.write(work))
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
      if (error === undefined) return this.#openQueue()
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

  async #openQueue(): Promise<void> {
    const [raw, db] = [this.#raw, this.#db]
    // The WAL stays the same file until the last connection closes: a checkpoint overwrites it from its start.
    const wal = await open(`${raw.name}-wal`, 'r')
    this.#closeWal = () => wal.close()
    await wal.sync()
    // The names of a new database and of its WAL.
    await syncFolder(dirname(raw.name))
    const { mark, witnessed } = await this.past()
    const { giveSpace, witness } = this.#options
    let isNoted = witnessed
    const onChanges = async (changes: number): Promise<void> => {
      if (!(await witness({ id: mark.id, changes })) || isNoted) return
      isNoted = true
      // Not awaited: the write that waits for this one would never end.
      void this.#queue.write((trx) => setMeta(trx, 'witnessed', '1')).catch(() => undefined)
    }
    this.#writes = new WriteQueue({ raw, db, wal, giveSpace, onChanges })
  }

  async states(): Promise<ReadonlyMap<string, GuestState>> {
    const rows = await this.#db.selectFrom('guests').selectAll().execute()
    return new Map(rows.map((row) => [row.name, stateOfRow(row)]))
  }

  async identities(): Promise<ReadonlyMap<string, MachineIdentity>> {
    const rows = await this.#db.selectFrom('guests').select(['name', 'identity']).execute()
    return new Map(rows.map((row) => [row.name, identityOfRow(row)]))
  }

  async change(
    guest: string,
    decide: Decide,
    { durableFirst = false }: ChangeOptions = {},
  ): Promise<GuestState | undefined> {
    let result: GuestState | undefined
    const work = async (trx: Transaction<Tables>): Promise<number> => {
      const changed = await changeGuest(trx, guest, decide)
      result = changed.state
      return changed.changes
    }
    await this.#queue.write(work, { durableFirst, isState: true })
    return result
  }

  async record(changes: readonly RecordChange[]): Promise<void> {
    if (changes.length === 0) return
    const work = async (trx: Transaction<Tables>): Promise<number> => {
      let changed = 0
      for (const change of changes) changed += await recordOne(trx, change)
      return changed
    }
    await this.#queue.write(work, { durableFirst: true, isState: true })
  }

  async past(): Promise<StorePast> {
    return pastOfMeta(await this.#db.selectFrom('meta').selectAll().execute())
  }

  probe(): Promise<void> {
    return this.#queue.write((trx) => setMeta(trx, 'probe', String(Date.now())))
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
    return this.#queue.write(async (trx) => {
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
      return 0
    })
  }

  async forgetUnknownMachine(id: string): Promise<boolean> {
    let found = false
    await this.#queue.write(async (trx) => {
      const { numDeletedRows } = await trx.deleteFrom('inbox').where('id', '=', id).executeTakeFirst()
      found = numDeletedRows > 0n
      return 0
    })
    return found
  }

  async secret(): Promise<Uint8Array> {
    const stored = await this.#secret()
    if (stored !== undefined) return Buffer.from(stored, 'hex')
    await this.#queue.write(async (trx) => {
      const value = randomBytes(32).toString('hex')
      await trx
        .insertInto('meta')
        .values({ key: 'secret', value })
        .onConflict((conflict) => conflict.column('key').doNothing())
        .execute()
      return 0
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
    await this.#writes?.end()
    await this.#db.destroy()
    await this.#closeWal()
  }

  get #queue(): WriteQueue {
    if (!this.#writes) throw new Error('the tables were not migrated')
    return this.#writes
  }

  async #secret(): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom('meta')
      .select('value')
      .where('key', '=', 'secret')
      .executeTakeFirst()
    return row?.value
  }
}
