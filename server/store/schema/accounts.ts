import type { Generated, Kysely, Migration } from 'kysely'

/** The tables of accounts, as `Tables` in tables.ts. core/access/records.ts explains the columns. */
export interface AccountTables {
  readonly accounts: AccountRow
  readonly tokens: TokenRow
  readonly sessions: SessionRow
  readonly audit: AuditRow
}

export interface AccountRow {
  readonly name: string
  readonly role: string
  readonly password: string | null
  readonly disabled: number
  readonly created_ms: number
  readonly last_sign_in_ms: number | null
  readonly oidc_issuer: string | null
  readonly oidc_subject: string | null
  readonly oidc_without_role: number | null
}

export interface TokenRow {
  readonly hash: string
  readonly account: string
  readonly name: string
  readonly role: string
  /** Names with blanks between them; null for a token that is not narrowed. */
  readonly scopes: string | null
  readonly maker: string
  readonly parent: string | null
  readonly created_ms: number
  readonly expires_ms: number | null
  readonly last_used_ms: number | null
  readonly last_from: string | null
}

export interface SessionRow {
  readonly hash: string
  readonly account: string
  readonly created_ms: number
  readonly last_used_ms: number
  readonly last_from: string
}

export interface AuditRow {
  readonly id: Generated<number>
  readonly at_ms: number
  readonly account: string
  readonly token: string | null
  readonly address: string
  readonly action: string
  readonly target: string
  readonly before: string | null
  readonly after: string | null
}

export const accountsMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('accounts')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('role', 'text', (column) => column.notNull())
      .addColumn('password', 'text')
      .addColumn('disabled', 'integer', (column) => column.notNull())
      .addColumn('created_ms', 'integer', (column) => column.notNull())
      .addColumn('last_sign_in_ms', 'integer')
      .execute()
    await db.schema
      .createTable('tokens')
      .addColumn('hash', 'text', (column) => column.primaryKey())
      .addColumn('account', 'text', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('role', 'text', (column) => column.notNull())
      .addColumn('scopes', 'text')
      .addColumn('maker', 'text', (column) => column.notNull())
      .addColumn('parent', 'text')
      .addColumn('created_ms', 'integer', (column) => column.notNull())
      .addColumn('expires_ms', 'integer')
      .addColumn('last_used_ms', 'integer')
      .addColumn('last_from', 'text')
      .addUniqueConstraint('tokens_name', ['account', 'name'])
      .execute()
    await db.schema
      .createTable('sessions')
      .addColumn('hash', 'text', (column) => column.primaryKey())
      .addColumn('account', 'text', (column) => column.notNull())
      .addColumn('created_ms', 'integer', (column) => column.notNull())
      .addColumn('last_used_ms', 'integer', (column) => column.notNull())
      .addColumn('last_from', 'text', (column) => column.notNull())
      .execute()
    await db.schema
      .createTable('audit')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('at_ms', 'integer', (column) => column.notNull())
      .addColumn('account', 'text', (column) => column.notNull())
      .addColumn('token', 'text')
      .addColumn('address', 'text', (column) => column.notNull())
      .addColumn('action', 'text', (column) => column.notNull())
      .addColumn('target', 'text', (column) => column.notNull())
      .addColumn('before', 'text')
      .addColumn('after', 'text')
      .execute()
  },
}

/** Accounts of an OpenID provider: `OidcBinding` explains the columns. */
export const oidcMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('accounts').addColumn('oidc_issuer', 'text').execute()
    await db.schema.alterTable('accounts').addColumn('oidc_subject', 'text').execute()
    await db.schema.alterTable('accounts').addColumn('oidc_without_role', 'integer').execute()
    await db.schema
      .createIndex('accounts_of_provider')
      .on('accounts')
      .columns(['oidc_issuer', 'oidc_subject'])
      .unique()
      .execute()
  },
}
