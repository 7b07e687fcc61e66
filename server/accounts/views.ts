import type { Role, Scope } from '../core/access/access.ts'
import { tokensOf } from '../core/access/account-changes.ts'
import type { AccessRecords, AccountRecord, TokenRecord, Use } from '../core/access/records.ts'
import { callerOfToken, isExpired } from '../core/access/tokens.ts'
import { defined } from '../core/defined.ts'

/** An account as admins see it. Times are milliseconds since 1970. */
export interface AccountView {
  readonly name: string
  readonly role: Role
  readonly disabled: boolean
  /** Whether it can sign in by password. */
  readonly hasPassword: boolean
  /** The provider that vouches for it. */
  readonly issuer?: string
  readonly createdMs: number
  readonly lastSignInMs?: number
  /** How many it has. */
  readonly tokens: number
  readonly sessions: number
}

export function accountView(account: AccountRecord, records: AccessRecords, sessions: number): AccountView {
  const { password, oidc, ...shown } = account
  const tokens = tokensOf(records, account.name).length
  const issuer = oidc && { issuer: oidc.issuer }
  return { ...shown, ...issuer, hasPassword: password !== undefined, tokens, sessions }
}

/** A token without its secret. Times are milliseconds since 1970. */
export interface TokenView {
  readonly account: string
  readonly name: string
  /** What it was made with. */
  readonly role: Role
  /** What it is worth now: its account may have lost its role. Undefined when it is worth nothing. */
  readonly roleNow?: Role
  readonly scopes?: readonly Scope[]
  readonly maker: string
  readonly createdMs: number
  readonly expiresMs?: number
  readonly expired: boolean
  readonly lastUsedMs?: number
  readonly lastFrom?: string
}

export function tokenView(
  token: TokenRecord,
  { accounts }: AccessRecords,
  nowMs: number,
  use?: Use,
): TokenView {
  const { hash: _, parent: __, ...shown } = token
  const roleNow = callerOfToken(accounts.get(token.account), token, nowMs)?.role
  return {
    ...shown,
    ...defined({ roleNow }),
    expired: isExpired(token, nowMs),
    ...(use && { lastUsedMs: use.atMs, lastFrom: use.from }),
  }
}
