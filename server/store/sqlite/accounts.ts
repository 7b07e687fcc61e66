import type { Database, Statement } from 'better-sqlite3'
import type { Kysely, Transaction } from 'kysely'
import {
  type AccessChange,
  type AccessRecords,
  type AuditLine,
  type NumberedAuditLine,
  type Use,
  withChanges,
} from '../../core/access/records.ts'
import {
  type AccountStore,
  type AuditOptions,
  type AuditQuery,
  auditKept,
  type DecideAccess,
} from '../accounts.ts'
import type { Tables } from '../schema/tables.ts'
import {
  accountOfRow,
  lineOfRow,
  rowOfAccount,
  rowOfLine,
  rowOfSession,
  rowOfToken,
  sessionOfRow,
  setupLinkOf,
  tokenOfRow,
} from './access-rows.ts'
import { setMeta } from './guest-writes.ts'
import type { Work, WriteOptions } from './write-queue.ts'

interface Parts {
  readonly raw: Database
  readonly db: Kysely<Tables>
  /** Resolves when the write is on the disk. What `work` throws would fail the writes of others, too. */
  readonly write: (work: Work, options?: WriteOptions) => Promise<void>
}

/** Records with the number that grows when any process changes them. */
interface Revision {
  readonly revision: number
  readonly records: AccessRecords
}

/** A new line deletes old ones only when its number is a multiple of this. */
const pruneEvery = 64n

export class SqliteAccounts implements AccountStore {
  readonly #db: Kysely<Tables>
  readonly #write: Parts['write']
  readonly #raw: Database
  /** Reads a number that changes when another connection has written to the file, whatever it wrote. */
  #dataVersion: Statement | undefined
  #lastDataVersion: unknown
  /** Undefined: not read yet, or a write failed and nobody knows what is stored. */
  #known: Revision | undefined

  constructor({ raw, db, write }: Parts) {
    this.#raw = raw
    this.#db = db
    this.#write = write
  }

  async current(): Promise<AccessRecords> {
    this.#dataVersion ??= this.#raw.prepare('pragma data_version').pluck()
    const version: unknown = this.#dataVersion.get()
    if (this.#known && version === this.#lastDataVersion) return this.#known.records
    const read = await this.#db.transaction().execute((trx) => this.#read(trx))
    this.#learn(read)
    // Not before: what could not be read is read by the next call.
    this.#lastDataVersion = version
    return (this.#known ?? read).records
  }

  async change(decide: DecideAccess): Promise<AccessRecords> {
    let result: Revision | undefined
    let refusal: { readonly error: unknown } | undefined
    const work: Work = async (trx) => {
      const before = await this.#read(trx)
      let changes: readonly AccessChange[] = []
      refusal = undefined
      try {
        changes = decide(before.records)
      } catch (error) {
        // Thrown here it would fail the writes of others that share the commit.
        refusal = { error }
      }
      result = await changeRows(trx, before, changes)
      return 0
    }
    try {
      await this.#write(work)
    } catch (error) {
      this.#known = undefined
      throw error
    }
    if (refusal) throw refusal.error
    if (!result) throw new Error('a write resolved without being done')
    this.#learn(result)
    return result.records
  }

  noteUses(uses: readonly Use[]): Promise<void> {
    return this.#write(async (trx) => {
      for (const { hash, atMs, from } of uses)
        for (const table of ['tokens', 'sessions'] as const)
          await trx
            .updateTable(table)
            .set({ last_used_ms: atMs, last_from: from })
            .where('hash', '=', hash)
            .execute()
      return 0
    })
  }

  addAudit(lines: readonly AuditLine[], { isDeed = false }: AuditOptions = {}): Promise<void> {
    if (lines.length === 0) return Promise.resolve()
    const work: Work = async (trx) => {
      for (const line of lines) await addLine(trx, line)
      return 0
    }
    return this.#write(work, { isState: isDeed })
  }

  async audit({ before, limit }: AuditQuery): Promise<readonly NumberedAuditLine[]> {
    let query = this.#db.selectFrom('audit').selectAll().orderBy('id', 'desc').limit(Math.max(0, limit))
    if (before !== undefined) query = query.where('id', '<', before)
    return (await query.execute()).map(lineOfRow)
  }

  #learn(read: Revision): void {
    if (!this.#known || read.revision > this.#known.revision) this.#known = read
  }

  /** What is stored now. Rows are only read when another process has changed them. */
  async #read(db: Kysely<Tables>): Promise<Revision> {
    const meta = await db
      .selectFrom('meta')
      .selectAll()
      .where('key', 'in', ['access-revision', 'setup-link'])
      .execute()
    const metaValue = (wanted: string) => meta.find(({ key }) => key === wanted)?.value
    const revision = Number(metaValue('access-revision') ?? 0)
    if (this.#known?.revision === revision) return this.#known
    const accounts = (await db.selectFrom('accounts').selectAll().execute()).map(accountOfRow)
    const tokens = (await db.selectFrom('tokens').selectAll().execute()).map(tokenOfRow)
    const sessions = (await db.selectFrom('sessions').selectAll().execute()).map(sessionOfRow)
    const setupLink = setupLinkOf(metaValue('setup-link'))
    const records = {
      accounts: new Map(accounts.map((account) => [account.name, account])),
      tokens: new Map(tokens.map((token) => [token.hash, token])),
      sessions: new Map(sessions.map((session) => [session.hash, session])),
      ...(setupLink && { setupLink }),
    }
    return { revision, records }
  }
}

async function changeRows(
  trx: Transaction<Tables>,
  before: Revision,
  changes: readonly AccessChange[],
): Promise<Revision> {
  for (const change of changes) await changeRow(trx, change)
  if (changes.every(({ kind }) => kind === 'audit')) return before
  const revision = before.revision + 1
  await setMeta(trx, 'access-revision', String(revision))
  return { revision, records: withChanges(before.records, changes) }
}

async function changeRow(trx: Transaction<Tables>, change: AccessChange): Promise<unknown> {
  switch (change.kind) {
    case 'account': {
      const row = rowOfAccount(change.record)
      return trx
        .insertInto('accounts')
        .values(row)
        .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
        .execute()
    }
    case 'remove-account':
      for (const table of ['tokens', 'sessions'] as const)
        await trx.deleteFrom(table).where('account', '=', change.name).execute()
      return trx.deleteFrom('accounts').where('name', '=', change.name).execute()
    case 'token':
      return trx.insertInto('tokens').values(rowOfToken(change.record)).execute()
    case 'remove-token':
      return trx.deleteFrom('tokens').where('hash', '=', change.hash).execute()
    case 'session':
      return trx.insertInto('sessions').values(rowOfSession(change.record)).execute()
    case 'end-session':
      return trx.deleteFrom('sessions').where('hash', '=', change.hash).execute()
    case 'setup-link':
      if (change.link) return setMeta(trx, 'setup-link', JSON.stringify(change.link))
      return trx.deleteFrom('meta').where('key', '=', 'setup-link').execute()
    case 'audit':
      return addLine(trx, change.line)
  }
}

async function addLine(trx: Transaction<Tables>, line: AuditLine): Promise<void> {
  const { insertId = 0n } = await trx.insertInto('audit').values(rowOfLine(line)).executeTakeFirstOrThrow()
  if (insertId % pruneEvery !== 0n) return
  await trx
    .deleteFrom('audit')
    .where('id', '<=', Number(insertId) - auditKept)
    .execute()
}
