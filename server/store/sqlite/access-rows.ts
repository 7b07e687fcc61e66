import type { Selectable } from 'kysely'
import { type Role, roles, type Scope, scopes } from '../../core/access/access.ts'
import type { OidcBinding } from '../../core/access/oidc.ts'
import type {
  AccountRecord,
  AuditLine,
  NumberedAuditLine,
  SessionRecord,
  SetupLink,
  TokenRecord,
} from '../../core/access/records.ts'
import { defined } from '../../core/defined.ts'
import type { AccountRow, AuditRow, SessionRow, TokenRow } from '../schema/accounts.ts'

/**
 * Converts rows of accounts to records, and records to rows. A row that was edited by hand, or written by a newer version,
 * gives less and never more: an unknown role is that of a viewer, an unknown scope is none.
 */

export function accountOfRow(row: AccountRow): AccountRecord {
  return defined({
    name: row.name,
    role: roleOf(row.role),
    password: row.password ?? undefined,
    oidc: bindingOf(row),
    disabled: row.disabled !== 0,
    createdMs: row.created_ms,
    lastSignInMs: row.last_sign_in_ms ?? undefined,
  })
}

export function rowOfAccount(record: AccountRecord): AccountRow {
  return {
    name: record.name,
    role: record.role,
    password: record.password ?? null,
    disabled: record.disabled ? 1 : 0,
    created_ms: record.createdMs,
    last_sign_in_ms: record.lastSignInMs ?? null,
    oidc_issuer: record.oidc?.issuer ?? null,
    oidc_subject: record.oidc?.subject ?? null,
    oidc_without_role: record.oidc?.withoutRole ? 1 : null,
  }
}

function bindingOf({ oidc_issuer, oidc_subject, oidc_without_role }: AccountRow): OidcBinding | undefined {
  if (oidc_issuer === null || oidc_subject === null) return undefined
  const withoutRole = oidc_without_role === null ? undefined : (true as const)
  return defined({ issuer: oidc_issuer, subject: oidc_subject, withoutRole })
}

export function tokenOfRow(row: TokenRow): TokenRecord {
  return defined({
    hash: row.hash,
    account: row.account,
    name: row.name,
    role: roleOf(row.role),
    scopes: row.scopes === null ? undefined : scopesOf(row.scopes),
    maker: row.maker,
    parent: row.parent ?? undefined,
    createdMs: row.created_ms,
    expiresMs: row.expires_ms ?? undefined,
    lastUsedMs: row.last_used_ms ?? undefined,
    lastFrom: row.last_from ?? undefined,
  })
}

export function rowOfToken(record: TokenRecord): TokenRow {
  return {
    hash: record.hash,
    account: record.account,
    name: record.name,
    role: record.role,
    scopes: record.scopes?.join(' ') ?? null,
    maker: record.maker,
    parent: record.parent ?? null,
    created_ms: record.createdMs,
    expires_ms: record.expiresMs ?? null,
    last_used_ms: record.lastUsedMs ?? null,
    last_from: record.lastFrom ?? null,
  }
}

export function sessionOfRow(row: SessionRow): SessionRecord {
  const { hash, account } = row
  return { hash, account, createdMs: row.created_ms, lastUsedMs: row.last_used_ms, from: row.last_from }
}

export function rowOfSession({ hash, account, createdMs, lastUsedMs, from }: SessionRecord): SessionRow {
  return { hash, account, created_ms: createdMs, last_used_ms: lastUsedMs, last_from: from }
}

export function lineOfRow(row: Selectable<AuditRow>): NumberedAuditLine {
  return defined({
    id: row.id,
    atMs: row.at_ms,
    account: row.account,
    token: row.token ?? undefined,
    from: row.address,
    action: row.action,
    target: row.target,
    before: row.before ?? undefined,
    after: row.after ?? undefined,
  })
}

export function rowOfLine(line: AuditLine): Omit<AuditRow, 'id'> {
  return {
    at_ms: line.atMs,
    account: line.account,
    token: line.token ?? null,
    address: line.from,
    action: line.action,
    target: line.target,
    before: line.before ?? null,
    after: line.after ?? null,
  }
}

/** What is damaged is no link: somebody makes another. */
export function setupLinkOf(text: string | undefined): SetupLink | undefined {
  try {
    const { hash, madeMs, begunMs } = JSON.parse(text ?? '') as Partial<SetupLink>
    if (typeof hash !== 'string' || typeof madeMs !== 'number') return undefined
    return typeof begunMs === 'number' ? { hash, madeMs, begunMs } : { hash, madeMs }
  } catch {
    return undefined
  }
}

function roleOf(text: string): Role {
  return roles.find((role) => role === text) ?? 'viewer'
}

function scopesOf(text: string): readonly Scope[] {
  const written = new Set(text.split(' '))
  return scopes.filter((scope) => written.has(scope))
}
