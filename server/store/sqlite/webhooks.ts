import { type Kysely, sql, type Transaction } from 'kysely'
import { defined } from '../../core/defined.ts'
import type { Tables } from '../schema/tables.ts'
import type { WebhookRow } from '../schema/webhooks.ts'
import {
  droppedAnswer,
  type NewDelivery,
  type TriedDelivery,
  type WebhookCounts,
  type WebhookDelivery,
  type WebhookStore,
  webhookEndedKept,
  webhookWaitingKept,
} from '../webhooks.ts'
import type { Work } from './write-queue.ts'

/** The table of deliveries. As with boots, no space is given up for its writes. */
export class SqliteWebhooks implements WebhookStore {
  readonly #db: Kysely<Tables>
  readonly #write: (work: Work) => Promise<void>

  constructor(db: Kysely<Tables>, write: (work: Work) => Promise<void>) {
    this.#db = db
    this.#write = write
  }

  add(deliveries: readonly NewDelivery[]): Promise<void> {
    return this.#write(async (trx) => {
      for (const { hook, kind, atMs, body } of deliveries)
        await trx
          .insertInto('webhook_deliveries')
          .values({ ...untried, hook, kind, at_ms: atMs, body, next_ms: atMs })
          .execute()
      for (const hook of new Set(deliveries.map((each) => each.hook))) await prune(trx, hook)
      return 0
    })
  }

  async next(hook: string): Promise<WebhookDelivery | undefined> {
    const row = await this.#db
      .selectFrom('webhook_deliveries')
      .selectAll()
      .where('hook', '=', hook)
      .where('state', '=', 'waiting')
      .orderBy('next_ms')
      .orderBy('id')
      .limit(1)
      .executeTakeFirst()
    return row && deliveryOf(row)
  }

  tried({ id, state, tries, nextMs, lastMs, answer }: TriedDelivery): Promise<void> {
    return this.#write(async (trx) => {
      await trx
        .updateTable('webhook_deliveries')
        .set({ state, tries, next_ms: nextMs, last_ms: lastMs ?? null, answer: answer ?? null })
        .where('id', '=', id)
        .where('state', '=', 'waiting')
        .execute()
      const row = await trx
        .selectFrom('webhook_deliveries')
        .select('hook')
        .where('id', '=', id)
        .executeTakeFirst()
      if (row) await prune(trx, row.hook)
      return 0
    })
  }

  async list({ hook, before, limit }: Parameters<WebhookStore['list']>[0]) {
    let query = this.#db.selectFrom('webhook_deliveries').selectAll().where('hook', '=', hook)
    if (before !== undefined) query = query.where('id', '<', before)
    return (await query.orderBy('id', 'desc').limit(limit).execute()).map(deliveryOf)
  }

  async counts(hook: string): Promise<WebhookCounts> {
    const rows = await this.#db
      .selectFrom('webhook_deliveries')
      .select((row) => ['state', row.fn.countAll<number>().as('count')])
      .where('hook', '=', hook)
      .groupBy('state')
      .execute()
    const count = (wanted: string): number => rows.find(({ state }) => state === wanted)?.count ?? 0
    return { waiting: count('waiting'), delivered: count('delivered'), failed: count('failed') }
  }

  keepOnly(hooks: readonly string[]): Promise<void> {
    return this.#write(async (trx) => {
      let query = trx.deleteFrom('webhook_deliveries')
      if (hooks.length > 0) query = query.where('hook', 'not in', hooks)
      await query.execute()
      return 0
    })
  }
}

const untried = { state: 'waiting', tries: 0, last_ms: null, answer: null }

async function prune(trx: Transaction<Tables>, hook: string): Promise<void> {
  await sql`update webhook_deliveries set state = 'failed', answer = ${droppedAnswer}
    where hook = ${hook} and state = 'waiting' and id <= (select id from webhook_deliveries
    where hook = ${hook} and state = 'waiting' order by id desc limit 1 offset ${webhookWaitingKept})`.execute(
    trx,
  )
  await sql`delete from webhook_deliveries where hook = ${hook} and state <> 'waiting' and id <=
    (select id from webhook_deliveries where hook = ${hook} and state <> 'waiting'
    order by id desc limit 1 offset ${webhookEndedKept})`.execute(trx)
}

function deliveryOf(row: WebhookRow & { readonly id: number }): WebhookDelivery {
  const { id, hook, kind, at_ms: atMs, body, state, tries, next_ms: nextMs, last_ms, answer } = row
  const optional = defined({ lastMs: last_ms ?? undefined, answer: answer ?? undefined })
  return { id, hook, kind, atMs, body, state: state as WebhookDelivery['state'], tries, nextMs, ...optional }
}
