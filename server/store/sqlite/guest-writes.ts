import type { Transaction } from 'kysely'
import type { Change, GuestState } from '../../core/guest/state.ts'
import type { Tables } from '../schema/tables.ts'
import { type Decide, historyKept, type RecordChange } from '../store.ts'
import { rowOfState, stateOfRow } from './rows.ts'

/** What a write does to the rows of guests, inside of a transaction. */

/**
 * A new history line deletes old lines of its guest only when its id is a multiple of this number. So the
 * table may hold more lines of a guest than `historyKept`.
 */
const pruneEvery = 16n

/** The state afterwards, and 1 when it is another than before: a mere line of history does not count. */
interface ChangedGuest {
  readonly state: GuestState | undefined
  readonly changes: 0 | 1
}

/** Changes one guest in a transaction, and adds the line of its history. */
export async function changeGuest(
  trx: Transaction<Tables>,
  guest: string,
  decide: Decide,
): Promise<ChangedGuest> {
  const row = await trx.selectFrom('guests').selectAll().where('name', '=', guest).executeTakeFirst()
  const before = row && stateOfRow(row)
  const change = decide(before)
  if (!change) return { state: before, changes: 0 }
  const { state } = change
  const written = rowOfState(guest, state)
  await trx
    .insertInto('guests')
    .values({ ...written, identity: noIdentity })
    .onConflict((conflict) => conflict.column('name').doUpdateSet(written))
    .execute()
  await addLine(trx, guest, change.entry)
  return { state, changes: before?.state === state.state && before.install === state.install ? 0 : 1 }
}

/** The identity in a row that an event made before the guest's definition was recorded. */
const noIdentity = '{}'

async function addLine(trx: Transaction<Tables>, guest: string, entry: Change['entry']): Promise<void> {
  const { atMs, ...step } = entry
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
}

/** Makes one change of the records. Resolves to what it adds to `StoreMark.changes`. */
export async function recordOne(trx: Transaction<Tables>, change: RecordChange): Promise<number> {
  switch (change.kind) {
    case 'add': {
      const row = { ...rowOfState(change.guest, change.state), identity: JSON.stringify(change.identity) }
      const { numInsertedOrUpdatedRows = 0n } = await trx
        .insertInto('guests')
        .values(row)
        .onConflict((conflict) => conflict.column('name').doNothing())
        .executeTakeFirst()
      return Number(numInsertedOrUpdatedRows)
    }
    case 'rename': {
      const { from, to } = change
      // Another process may have recorded the new name meanwhile.
      const taken = await trx.selectFrom('guests').select('name').where('name', '=', to).executeTakeFirst()
      if (taken) return 0
      const identity = JSON.stringify(change.identity)
      await trx.updateTable('guests').set({ name: to, identity }).where('name', '=', from).execute()
      await trx.updateTable('steps').set({ guest: to }).where('guest', '=', from).execute()
      return 1
    }
    case 'identity': {
      const identity = JSON.stringify(change.identity)
      await trx.updateTable('guests').set({ identity }).where('name', '=', change.guest).execute()
      return 0
    }
    case 'change':
      return (await changeGuest(trx, change.guest, change.decide)).changes
    // Doubt counts, and so does a start of the server: the witness is then written for sure.
    case 'doubt':
      await setMeta(trx, 'doubt', change.doubt ?? '')
      await setMeta(trx, 'unjudged', '')
      return 1
    case 'settled':
      await setMeta(trx, 'settled', '1')
      await setMeta(trx, 'unjudged', change.unjudged ? '1' : '')
      return 1
  }
}

/** Always 0: no state of a guest changes. */
export async function setMeta(trx: Transaction<Tables>, key: string, value: string): Promise<number> {
  await trx
    .insertInto('meta')
    .values({ key, value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
    .execute()
  return 0
}
