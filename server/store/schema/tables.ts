import { type Generated, type Kysely, type Migration, type MigrationProvider, sql } from 'kysely'
import { type AccountTables, accountsMigration, oidcMigration } from './accounts.ts'
import { type WebhookTables, webhooksMigration } from './webhooks.ts'

/** The tables, as types for kysely. Times are milliseconds since 1970. */
export interface Tables extends AccountTables, WebhookTables {
  readonly guests: GuestRow
  /** The lines of all histories (`HistoryEntry`). */
  readonly steps: StepRow
  readonly inbox: UnknownMachineRow
  /**
   * `secret`: see `Store.secret`. `lock`: an empty row, see the first migration. `store-id`, `changes`, `settled`,
   * `unjudged`, `witnessed` and `doubt`: see `StorePast`. `probe`: when the store was last written to as a trial. `setup-link`: a
   * `SetupLink` as JSON. `access-revision`: a number that grows with each change of `AccessRecords`.
   */
  readonly meta: { readonly key: string; readonly value: string }
  readonly boots: BootRow
  /** `BootEvent` as JSON. */
  readonly boot_events: { readonly seq: number; readonly rest: string }
}

/** A boot of a machine. The columns are for queries; `rest` is the whole `Boot` as JSON. */
export interface BootRow {
  readonly id: number
  readonly guest: string | null
  readonly mac: string | null
  readonly state: string
  readonly start_ms: number
  readonly last_ms: number
  /** 1 when nothing is added any more. */
  readonly ended: number
  readonly step_count: number
  readonly rest: string
}

/** The state of one guest. Columns are for people who use `sqlite3`; the rest of a `GuestState` is JSON. */
export interface GuestRow {
  readonly name: string
  readonly state: string
  readonly since_ms: number
  /** The number of the guest's installation: `GuestState.install`. */
  readonly install: number
  readonly rest: string
  /** A `MachineIdentity` as JSON; `{}` until the definition of the guest was recorded. */
  readonly identity: string
}

/** One line of the history of a guest. */
export interface StepRow {
  readonly id: Generated<number>
  readonly guest: string
  /** The number of the guest's installation. */
  readonly install: number
  readonly at_ms: number
  readonly kind: string
  readonly detail: string
  readonly client: string
}

/** An `UnknownMachine`, which explains the columns. */
export interface UnknownMachineRow {
  readonly id: string
  readonly mac: string | null
  readonly uuid: string | null
  readonly serial: string | null
  readonly firmware: string | null
  readonly vendor: string | null
  readonly address: string | null
  readonly first_ms: number
  readonly last_ms: number
  readonly count: number
}

/**
 * The migrations run in the order of their names. A released migration is never changed; a new one is added
 * below.
 */
const migrations: Record<string, Migration> = {
  '0001-guests-steps-inbox': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('guests')
        .addColumn('name', 'text', (column) => column.primaryKey())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('since_ms', 'integer', (column) => column.notNull())
        .addColumn('install', 'integer', (column) => column.notNull())
        .addColumn('rest', 'text', (column) => column.notNull())
        .execute()
      await db.schema
        .createTable('steps')
        .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('guest', 'text', (column) => column.notNull())
        .addColumn('install', 'integer', (column) => column.notNull())
        .addColumn('at_ms', 'integer', (column) => column.notNull())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('detail', 'text', (column) => column.notNull())
        .addColumn('client', 'text', (column) => column.notNull())
        .execute()
      await db.schema.createIndex('steps_of_guest').on('steps').columns(['guest', 'id']).execute()
      await db.schema
        .createTable('inbox')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('mac', 'text')
        .addColumn('uuid', 'text')
        .addColumn('serial', 'text')
        .addColumn('firmware', 'text')
        .addColumn('vendor', 'text')
        .addColumn('address', 'text')
        .addColumn('first_ms', 'integer', (column) => column.notNull())
        .addColumn('last_ms', 'integer', (column) => column.notNull())
        .addColumn('count', 'integer', (column) => column.notNull())
        .execute()
      await db.schema.createIndex('inbox_by_time').on('inbox').column('last_ms').execute()
      await db.schema
        .createTable('meta')
        .addColumn('key', 'text', (column) => column.primaryKey())
        .addColumn('value', 'text', (column) => column.notNull())
        .execute()
      // Each transaction writes this row first, which takes the write lock (sqlite/store.ts).
      await sql`insert into meta (key, value) values ('lock', '')`.execute(db)
    },
  },
  '0002-identity-of-store-and-guests': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .alterTable('guests')
        .addColumn('identity', 'text', (column) => column.notNull().defaultTo('{}'))
        .execute()
      await sql`insert into meta (key, value) values
        ('store-id', lower(hex(randomblob(16)))), ('changes', '0')`.execute(db)
      // A store that was in use has a secret. It knows its guests, and never had a witness.
      await sql`insert into meta (key, value)
        select 'settled', '1' from meta where key = 'secret'`.execute(db)
      // A failed installation was `installing` with a reason.
      await sql`update guests set state = 'failed' where state = 'installing' and json_valid(rest)
        and json_extract(rest, '$.failure') is not null`.execute(db)
    },
  },
  '0003-accounts': accountsMigration,
  '0004-boots': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('boots')
        .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('guest', 'text')
        .addColumn('mac', 'text')
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('start_ms', 'integer', (column) => column.notNull())
        .addColumn('last_ms', 'integer', (column) => column.notNull())
        .addColumn('ended', 'integer', (column) => column.notNull())
        .addColumn('step_count', 'integer', (column) => column.notNull())
        .addColumn('rest', 'text', (column) => column.notNull())
        .execute()
      await db.schema.createIndex('boots_of_guest').on('boots').columns(['guest', 'id']).execute()
      await db.schema.createIndex('boots_by_start').on('boots').column('start_ms').execute()
      await db.schema.createIndex('boots_open').on('boots').columns(['ended', 'id']).execute()
      await db.schema
        .createTable('boot_events')
        .addColumn('seq', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('rest', 'text', (column) => column.notNull())
        .execute()
    },
  },
  '0005-webhooks': webhooksMigration,
  '0006-oidc': oidcMigration,
}

export const migrationProvider: MigrationProvider = { getMigrations: async () => migrations }
