import { type Kysely, sql, type Transaction } from 'kysely'
import type { Boot, BootState } from '../../core/boots/boot.ts'
import type { BootEvent } from '../../core/boots/boot-event.ts'
import {
  type BootQuery,
  type BootStore,
  type BootWrite,
  bootEventsKept,
  bootStepsKept,
  bootsOfGuestKept,
  bootsOfStrangersKept,
  bootsPrunedMs,
} from '../boots.ts'
import type { BootRow, Tables } from '../schema/tables.ts'
import type { Work } from './write-queue.ts'

/** Boots in one write: the event loop gets a turn after some writes, see `WriteQueue`. */
const perWrite = 20

/** The tables of boots. Their writes may wait: they have no part in `StoreMark.changes`, and no space is given up for them. */
export class SqliteBoots implements BootStore {
  readonly #db: Kysely<Tables>
  readonly #write: (work: Work) => Promise<void>

  constructor(db: Kysely<Tables>, write: (work: Work) => Promise<void>) {
    this.#db = db
    this.#write = write
  }

  async write({ boots, removed, events }: BootWrite): Promise<void> {
    const writes: Promise<void>[] = []
    for (let at = 0; at < boots.length; at += perWrite) {
      const some = boots.slice(at, at + perWrite).map(rowOf)
      writes.push(this.#write((trx) => upsert(trx, some)))
    }
    if (removed.length + events.length > 0) writes.push(this.#write((trx) => addEvents(trx, removed, events)))
    await Promise.all(writes)
  }

  async list({ guest, state, since, before, limit }: BootQuery): Promise<readonly Boot[]> {
    let query = this.#db.selectFrom('boots').selectAll()
    if (guest !== undefined) query = query.where('guest', '=', guest)
    if (since !== undefined) query = query.where('start_ms', '>=', since)
    if (state !== undefined)
      query = query.where((is) => is.or([is('state', '=', state), is('ended', '=', 0)]))
    if (before !== undefined) query = query.where('id', '<', before)
    return bootsOf(await query.orderBy('id', 'desc').limit(limit).execute())
  }

  async count({ guest, state, since }: Pick<BootQuery, 'guest' | 'state' | 'since'>): Promise<number> {
    let query = this.#db.selectFrom('boots').select((row) => row.fn.countAll<number>().as('count'))
    if (guest !== undefined) query = query.where('guest', '=', guest)
    if (state !== undefined) query = query.where('state', '=', state)
    if (since !== undefined) query = query.where('start_ms', '>=', since)
    return (await query.executeTakeFirst())?.count ?? 0
  }

  async read(id: number): Promise<Boot | undefined> {
    return bootsOf(await this.#db.selectFrom('boots').selectAll().where('id', '=', id).execute())[0]
  }

  async open(): Promise<readonly Boot[]> {
    return bootsOf(
      await this.#db.selectFrom('boots').selectAll().where('ended', '=', 0).orderBy('id').execute(),
    )
  }

  async eventsAfter(seq: number, limit: number): Promise<readonly BootEvent[]> {
    const query = this.#db.selectFrom('boot_events').select('rest').where('seq', '>', seq)
    const rows = await query.orderBy('seq').limit(limit).execute()
    return rows.flatMap(({ rest }) => (parsed(rest) as BootEvent | undefined) ?? [])
  }

  async last(): Promise<{ boot: number; event: number }> {
    // The numbers that SQLite keeps for AUTOINCREMENT stay when the rows are removed.
    const { rows } = await sql<{ name: string; seq: number }>`select name, seq from sqlite_sequence
      where name in ('boots', 'boot_events')`.execute(this.#db)
    const seqOf = (table: string): number => rows.find(({ name }) => name === table)?.seq ?? 0
    return { boot: seqOf('boots'), event: seqOf('boot_events') }
  }

  prune(beforeMs: number): Promise<void> {
    return this.#write(async (trx) => {
      await sql`delete from boots where start_ms < ${beforeMs} and start_ms <=
        (select min(start_ms) from boots) + ${bootsPrunedMs}`.execute(trx)
      await sql`delete from boots where guest is null and id <= (select id from boots
        where guest is null order by id desc limit 1 offset ${bootsOfStrangersKept})`.execute(trx)
      await sql`delete from boots where id in (select id from
        (select id, row_number() over (partition by guest order by id desc) as place from boots where guest is not null)
        where place > ${bootsOfGuestKept})`.execute(trx)
      await sql`delete from boots where id in (select id from
        (select id, sum(step_count) over (order by id desc) as steps from boots)
        where steps > ${bootStepsKept})`.execute(trx)
      return 0
    })
  }
}

async function upsert(trx: Transaction<Tables>, rows: readonly BootRow[]): Promise<0> {
  for (const row of rows)
    await trx
      .insertInto('boots')
      .values(row)
      .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
      .execute()
  return 0
}

async function addEvents(
  trx: Transaction<Tables>,
  removed: readonly number[],
  events: readonly BootEvent[],
): Promise<0> {
  if (removed.length > 0) await trx.deleteFrom('boots').where('id', 'in', removed).execute()
  for (const event of events)
    await trx
      .insertInto('boot_events')
      .values({ seq: event.seq, rest: JSON.stringify(event) })
      .onConflict((conflict) => conflict.column('seq').doNothing())
      .execute()
  // The numbers have gaps, so the rows are counted.
  await sql`delete from boot_events where seq <= (select seq from boot_events
    order by seq desc limit 1 offset ${bootEventsKept})`.execute(trx)
  return 0
}

function rowOf(boot: Boot): BootRow {
  const { id, guest, macs, state, startMs, lastMs, endMs, steps } = boot
  return {
    id,
    guest: guest ?? null,
    mac: macs[0] ?? null,
    state,
    start_ms: startMs,
    last_ms: lastMs,
    ended: endMs === undefined ? 0 : 1,
    step_count: steps.length,
    rest: JSON.stringify(boot),
  }
}

/** A row that was damaged or edited by hand is left out. */
function bootsOf(rows: readonly BootRow[]): readonly Boot[] {
  return rows.flatMap(({ id, state, rest }) => {
    const boot = parsed(rest) as Boot | undefined
    const isWhole = boot !== undefined && Array.isArray(boot.steps) && typeof boot.signs === 'object'
    return isWhole ? [{ ...boot, id, state: state as BootState }] : []
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
