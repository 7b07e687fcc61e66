import type { Role, Scope } from './access.ts'
import type { OidcBinding } from './oidc.ts'

/** What is remembered of accounts. Times are milliseconds since 1970. Of secrets there are only hashes. */

export interface AccountRecord {
  readonly name: string
  readonly role: Role
  /** The hash of the password with its parameters; undefined for an account that cannot sign in by password. */
  readonly password?: string
  /** Only of an account that a provider vouches for. */
  readonly oidc?: OidcBinding
  /** A disabled account may do nothing, and neither may its tokens. */
  readonly disabled: boolean
  readonly createdMs: number
  readonly lastSignInMs?: number
}

export interface TokenRecord {
  /** SHA-256 of the token, as hex. */
  readonly hash: string
  /** The account that it belongs to, and ends with. */
  readonly account: string
  /** Unique among the tokens of the account. */
  readonly name: string
  /** What it was made with; `callerOfToken` says what that is worth now. */
  readonly role: Role
  readonly scopes?: readonly Scope[]
  /** Who made it, for people. */
  readonly maker: string
  /** The token of the same account that made it. This one ends with that one. */
  readonly parent?: string
  readonly createdMs: number
  readonly expiresMs?: number
  /** When it was last used, to a minute, and from which address. */
  readonly lastUsedMs?: number
  readonly lastFrom?: string
}

export interface SessionRecord {
  /** SHA-256 of the id that the cookie has, as hex. */
  readonly hash: string
  readonly account: string
  readonly createdMs: number
  readonly lastUsedMs: number
  /** The address that used it last. */
  readonly from: string
}

/** A link by which an administrator can be made without an account. There is one at most. */
export interface SetupLink {
  /** SHA-256 of its secret, as hex. */
  readonly hash: string
  readonly madeMs: number
  /** When its hour began; undefined until somebody looked at it. */
  readonly begunMs?: number
}

/** All that is stored, the audit excepted. */
export interface AccessRecords {
  readonly accounts: ReadonlyMap<string, AccountRecord>
  /** By hash. */
  readonly tokens: ReadonlyMap<string, TokenRecord>
  /** By hash. */
  readonly sessions: ReadonlyMap<string, SessionRecord>
  readonly setupLink?: SetupLink
}

export const noRecords: AccessRecords = Object.freeze({
  accounts: new Map<string, AccountRecord>(),
  tokens: new Map<string, TokenRecord>(),
  sessions: new Map<string, SessionRecord>(),
})

/** One line of the audit. */
export interface AuditLine {
  readonly atMs: number
  /** Who: an account, or in words somebody without one. */
  readonly account: string
  readonly token?: string
  /** The address, or where else it came from: `command line`. */
  readonly from: string
  /** What was done, such as `accounts.add`. */
  readonly action: string
  /** To what, such as the name of a guest. */
  readonly target: string
  /** JSON, with its secrets starred. */
  readonly before?: string
  readonly after?: string
}

/** A line as it is read: newer lines have larger numbers. */
export interface NumberedAuditLine extends AuditLine {
  readonly id: number
}

export type AccessChange =
  /** Makes the account, or replaces it. */
  | { readonly kind: 'account'; readonly record: AccountRecord }
  /** Its tokens and sessions go with it. */
  | { readonly kind: 'remove-account'; readonly name: string }
  | { readonly kind: 'token'; readonly record: TokenRecord }
  | { readonly kind: 'remove-token'; readonly hash: string }
  | { readonly kind: 'session'; readonly record: SessionRecord }
  | { readonly kind: 'end-session'; readonly hash: string }
  /** Replaces the one before. Without `link` there is none any more. */
  | { readonly kind: 'setup-link'; readonly link: SetupLink | undefined }
  | { readonly kind: 'audit'; readonly line: AuditLine }

/** The use of a token or a session. */
export interface Use {
  readonly hash: string
  readonly atMs: number
  readonly from: string
}

/** The records after these changes, in their order. */
export function withChanges(records: AccessRecords, changes: readonly AccessChange[]): AccessRecords {
  const accounts = new Map(records.accounts)
  const tokens = new Map(records.tokens)
  const sessions = new Map(records.sessions)
  let { setupLink } = records
  for (const change of changes)
    switch (change.kind) {
      case 'account':
        accounts.set(change.record.name, change.record)
        break
      case 'remove-account':
        accounts.delete(change.name)
        deleteOf(tokens, change.name)
        deleteOf(sessions, change.name)
        break
      case 'token':
        tokens.set(change.record.hash, change.record)
        break
      case 'remove-token':
        tokens.delete(change.hash)
        break
      case 'session':
        sessions.set(change.record.hash, change.record)
        break
      case 'end-session':
        sessions.delete(change.hash)
        break
      case 'setup-link':
        setupLink = change.link
        break
      case 'audit':
        break
    }
  return { accounts, tokens, sessions, ...(setupLink && { setupLink }) }
}

function deleteOf(owned: Map<string, { readonly account: string }>, account: string): void {
  for (const [hash, record] of owned) if (record.account === account) owned.delete(hash)
}
