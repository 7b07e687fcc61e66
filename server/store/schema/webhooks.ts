import type { Generated, Kysely, Migration } from 'kysely'

export interface WebhookTables {
  readonly webhook_deliveries: WebhookRow & { readonly id: Generated<number> }
}

/** A `WebhookDelivery`, which explains the columns. */
export interface WebhookRow {
  readonly hook: string
  readonly kind: string
  readonly at_ms: number
  readonly body: string
  readonly state: string
  readonly tries: number
  readonly next_ms: number
  readonly last_ms: number | null
  readonly answer: string | null
}

export const webhooksMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('webhook_deliveries')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('hook', 'text', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('at_ms', 'integer', (column) => column.notNull())
      .addColumn('body', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('tries', 'integer', (column) => column.notNull())
      .addColumn('next_ms', 'integer', (column) => column.notNull())
      .addColumn('last_ms', 'integer')
      .addColumn('answer', 'text')
      .execute()
    await db.schema
      .createIndex('webhook_deliveries_due')
      .on('webhook_deliveries')
      .columns(['hook', 'state', 'next_ms', 'id'])
      .execute()
    await db.schema
      .createIndex('webhook_deliveries_of_hook')
      .on('webhook_deliveries')
      .columns(['hook', 'id'])
      .execute()
  },
}
