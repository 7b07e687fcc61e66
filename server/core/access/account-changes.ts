import { defined } from '../defined.ts'
import { Failure } from '../failure.ts'
import { nearestName } from '../select/nearest.ts'
import { type Caller, callerText, type Role, type Scope, whyNotGranted } from './access.ts'
import { type Actor, auditLine, type Done } from './audit.ts'
import { legacyToken, requireAccountName, requireTokenName } from './names.ts'
import type { OidcBinding } from './oidc.ts'
import type { AccessChange, AccessRecords, AccountRecord, TokenRecord } from './records.ts'
import { callerOfToken, withOffspring } from './tokens.ts'

/** What each change of accounts and tokens means for what is stored. All throw a Failure for what may not be. */

/** All of it is in memory. */
const mostAccounts = 1_000
const mostTokens = 100

/** Who changes something, and when. */
export interface Deed {
  readonly by: Actor
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

export function audited({ by, nowMs }: Deed, done: Done): AccessChange {
  return { kind: 'audit', line: auditLine(by, nowMs, done) }
}

export interface NewAccount {
  readonly name: string
  readonly role: Role
  /** The hash of its password; undefined for an account of a provider. */
  readonly password?: string
  readonly oidc?: OidcBinding
  readonly lastSignInMs?: number
}

export function addAccount(records: AccessRecords, deed: Deed, added: NewAccount): readonly AccessChange[] {
  const { accounts } = records
  const { name } = added
  requireAccountName(name)
  if (accounts.has(name))
    throw new Failure('conflict', `there is an account ${name} already; "treeboot accounts set" changes it`)
  // Two accounts that a reader takes for one would be a trap.
  const alike = [...accounts.keys()].find((other) => other.toLowerCase() === name.toLowerCase())
  if (alike !== undefined)
    throw new Failure('conflict', `there is an account ${alike} already, which reads like ${name}`)
  if (accounts.size >= mostAccounts)
    throw new Failure('conflict', `there are ${mostAccounts} accounts, and no more are kept; remove some`)
  const record: AccountRecord = { ...added, disabled: false, createdMs: deed.nowMs }
  return [
    { kind: 'account', record },
    ...endSetup(records, record),
    audited(deed, { action: 'accounts.add', target: name, after: shownAccount(record) }),
  ]
}

export interface AccountSettings {
  readonly role?: Role
  /** The hash of its new password. */
  readonly password?: string
  readonly disabled?: boolean
}

/** Whoever gets another password or is disabled signs in anew. Tokens stay, and count again when the account does. */
export function setAccount(
  records: AccessRecords,
  deed: Deed,
  { name, ...settings }: AccountSettings & { readonly name: string },
): readonly AccessChange[] {
  const before = accountNamed(records, name)
  if (before.oidc && (settings.password !== undefined || settings.role !== undefined))
    throw new Failure(
      'conflict',
      `${name} signs in by a provider: it has no password, and its role is that of its groups there; it can be disabled`,
    )
  const record: AccountRecord = {
    ...before,
    ...settings,
    ...defined({ oidc: bindingAfter(before, settings) }),
  }
  requireAdminLeft(records, name, record)
  const ends = settings.password !== undefined || record.disabled
  return [
    { kind: 'account', record },
    ...endSetup(records, record),
    ...(ends ? endSessions(records, name) : []),
    audited(deed, {
      action: 'accounts.set',
      target: name,
      before: shownAccount(before),
      after: { ...shownAccount(record), ...(settings.password !== undefined && { newPassword: true }) },
    }),
  ]
}

/** What an admin says of an account counts until he says something else, whatever groups the person has. */
function bindingAfter({ oidc }: AccountRecord, { disabled }: AccountSettings): OidcBinding | undefined {
  return oidc && disabled !== undefined ? { issuer: oidc.issuer, subject: oidc.subject } : oidc
}

export function removeAccount(records: AccessRecords, deed: Deed, name: string): readonly AccessChange[] {
  const before = accountNamed(records, name)
  requireAdminLeft(records, name, undefined)
  const tokens = tokensOf(records, name).map((token) => token.name)
  return [
    { kind: 'remove-account', name },
    audited(deed, {
      action: 'accounts.remove',
      target: name,
      before: { ...shownAccount(before), ended: tokens },
    }),
  ]
}

export function endSessions({ sessions }: AccessRecords, account: string): AccessChange[] {
  return [...sessions.values()]
    .filter((session) => session.account === account)
    .map(({ hash }) => ({ kind: 'end-session', hash }))
}

export interface NewToken {
  /** SHA-256 of the token, as hex. */
  readonly hash: string
  readonly name: string
  readonly role: Role
  readonly scopes?: readonly Scope[]
  readonly expiresMs?: number
}

/** A token is judged by what its maker is at the moment when it is stored, and not when he began. */
export function makeToken(
  records: AccessRecords,
  deed: Deed,
  { maker, wanted }: { readonly maker: Caller; readonly wanted: NewToken },
): readonly AccessChange[] {
  requireTokenName(wanted.name)
  const { caller, parent } = makerNow(records, maker, deed.nowMs)
  const why = whyNotGranted(caller, wanted)
  if (why !== undefined) throw new Failure('forbidden', why)
  if (wanted.expiresMs !== undefined && wanted.expiresMs <= deed.nowMs)
    throw new Failure('bad-request', `the token ${wanted.name} would have expired already`)
  const tokens = tokensOf(records, caller.account)
  if (tokens.some(({ name }) => name === wanted.name))
    throw new Failure('conflict', `${caller.account} has a token ${wanted.name} already; remove it first`)
  if (tokens.length >= mostTokens)
    throw new Failure(
      'conflict',
      `${caller.account} has ${mostTokens} tokens, and no more are kept; remove some`,
    )
  if (parent?.expiresMs !== undefined && (wanted.expiresMs ?? parent.expiresMs) > parent.expiresMs)
    throw new Failure(
      'forbidden',
      `a token lives no longer than the one that makes it, which expires ${new Date(parent.expiresMs).toISOString()}`,
    )
  const expiresMs = wanted.expiresMs ?? parent?.expiresMs
  const record: TokenRecord = {
    hash: wanted.hash,
    account: caller.account,
    name: wanted.name,
    role: wanted.role,
    maker: callerText(deed.by),
    createdMs: deed.nowMs,
    ...(wanted.scopes && { scopes: [...new Set(wanted.scopes)] }),
    ...(expiresMs !== undefined && { expiresMs }),
    ...(parent && { parent: parent.name }),
  }
  return [
    { kind: 'token', record },
    audited(deed, { action: 'tokens.add', target: tokenTarget(record), after: shownToken(record) }),
  ]
}

/** What the maker is worth now: he may have lost his role, or his token, since his request began. */
function makerNow(
  records: AccessRecords,
  maker: Caller,
  nowMs: number,
): { readonly caller: Caller; readonly parent?: TokenRecord } {
  const account = records.accounts.get(maker.account)
  if (maker.kind === 'anonymous' || !account || account.disabled)
    throw new Failure('forbidden', `only an account makes tokens; ${callerText(maker)} is none`)
  if (maker.kind === 'account')
    return { caller: { kind: 'account', account: account.name, role: account.role } }
  const parent = tokensOf(records, account.name).find(({ name }) => name === maker.token)
  const caller = parent && callerOfToken(account, parent, nowMs)
  if (!caller)
    throw new Failure('forbidden', `${callerText(maker)} makes no tokens: it is none of the store, or ended`)
  return { caller, parent }
}

/** All that it made ends with it. */
export function revokeToken(
  records: AccessRecords,
  deed: Deed,
  { account, name }: { readonly account: string; readonly name: string },
): readonly AccessChange[] {
  if (account === legacyToken.account && name === legacyToken.token && !hasToken(records, account, name))
    throw new Failure(
      'bad-request',
      'this is the token of the file admin-token in the data folder: put another one there, and start treeboot again',
    )
  accountNamed(records, account)
  const own = tokensOf(records, account)
  const token = own.find((each) => each.name === name)
  if (!token) {
    const names = own.map((each) => each.name)
    const near = nearestName(name, names)
    const hint = near === undefined ? `it has ${names.join(', ') || 'none'}` : `did you mean ${near}?`
    throw new Failure('not-found', `${account} has no token ${name}; ${hint}`)
  }
  return withOffspring(own, token).flatMap((ended) => [
    { kind: 'remove-token' as const, hash: ended.hash },
    audited(deed, { action: 'tokens.revoke', target: tokenTarget(ended), before: shownToken(ended) }),
  ])
}

function hasToken(records: AccessRecords, account: string, name: string): boolean {
  return tokensOf(records, account).some((token) => token.name === name)
}

export function tokensOf({ tokens }: AccessRecords, account: string): readonly TokenRecord[] {
  return [...tokens.values()].filter((token) => token.account === account)
}

/** @throws Failure `not-found`, which names the most similar account. */
export function accountNamed({ accounts }: AccessRecords, name: string): AccountRecord {
  const account = accounts.get(name)
  if (account) return account
  const near = nearestName(name, [...accounts.keys()])
  const hint = near === undefined ? '"treeboot accounts list" shows the accounts' : `did you mean ${near}?`
  throw new Failure('not-found', `no account ${name.slice(0, 80)}; ${hint}`)
}

export function isAdmin({ role, disabled }: AccountRecord): boolean {
  return role === 'admin' && !disabled
}

/** Nobody could make another one without the command line of this host. */
/**
 * The first admin ends the setup link that waits for one: it lies in a file, without an end until somebody looks, and would
 * make another admin much later. A link that is made when there is an admin is meant, and stays.
 */
function endSetup({ accounts, setupLink }: AccessRecords, after: AccountRecord): AccessChange[] {
  if (!setupLink || !isAdmin(after) || [...accounts.values()].some(isAdmin)) return []
  return [{ kind: 'setup-link', link: undefined }]
}

function requireAdminLeft({ accounts }: AccessRecords, name: string, after: AccountRecord | undefined): void {
  const before = accounts.get(name)
  if (!before || !isAdmin(before) || (after && isAdmin(after))) return
  const others = [...accounts.values()].filter((account) => account.name !== name && isAdmin(account))
  if (others.length > 0) return
  throw new Failure(
    'conflict',
    `${name} is the last admin, and stays one; make another first: treeboot accounts add NAME --role admin`,
  )
}

export function shownAccount({ role, disabled, oidc }: AccountRecord): Record<string, unknown> {
  return { role, disabled, ...(oidc && { issuer: oidc.issuer, subject: oidc.subject }) }
}

function shownToken({ role, scopes, expiresMs, maker }: TokenRecord): Record<string, unknown> {
  return { role, scopes: scopes ?? null, expires: expiresMs ?? null, maker }
}

function tokenTarget({ account, name }: TokenRecord): string {
  return `${account} ${name}`
}
