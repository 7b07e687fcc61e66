import { audited, type Deed } from '../core/access/account-changes.ts'
import { isAccountName, normalized } from '../core/access/names.ts'
import type { AccessChange, AccessRecords, AccountRecord, SessionRecord } from '../core/access/records.ts'
import { Failure } from '../core/failure.ts'
import type { AccountStore } from '../store/accounts.ts'
import type { Audit } from './audit.ts'
import type { Clock } from './clock.ts'
import { type Passwords, TryLater } from './passwords.ts'
import { mostSessions, newSession, type Session, type SessionLife, type SessionLimits } from './sessions.ts'
import type { SignInThrottle } from './throttle.ts'

/** A sign-in that found the password changed meanwhile looks again; so often. */
const mostLooks = 3

export interface SignInParts {
  readonly store: AccountStore
  readonly passwords: Passwords
  readonly throttle: SignInThrottle
  readonly life: SessionLife
  readonly limits: () => SessionLimits
  readonly audit: Audit
  readonly clock: Clock
  readonly onTrouble: (error: unknown) => void
}

interface Credentials {
  readonly name: string
  readonly password: string
  readonly from: string
}

/**
 * Compares name and password, and begins a session.
 *
 * @throws Failure `forbidden`, the same for a wrong password, an account that is disabled and one that is not there;
 *   TryLater (`too-many`) when the sender has to wait.
 */
export async function signIn(parts: SignInParts, credentials: Credentials): Promise<Session> {
  const { throttle, passwords, store } = parts
  const { name, from } = credentials
  const attempt = throttle.begin(name, from)
  if (typeof attempt === 'number')
    throw new TryLater(
      `too many wrong passwords for this account from this address; try again in ${Math.ceil(attempt / 1000)} s`,
      attempt,
    )
  const password = normalized(credentials.password)
  for (let looks = 1; ; looks++) {
    const account = isAccountName(name) ? (await store.current()).accounts.get(name) : undefined
    const stored = account?.disabled ? undefined : account?.password
    const checked = await passwords.check(password ?? '', stored, from).catch((error: unknown) => {
      attempt.undone()
      throw error
    })
    if (!account || password === undefined || !checked.isRight)
      throw await refused(parts, credentials, account)
    const session = await begin(parts, { account, from, better: checked.better })
    if (session) {
      attempt.right()
      return session
    }
    if (looks >= mostLooks) throw await refused(parts, credentials, account)
  }
}

/** Names that are no account's are not written down: people type their password into the wrong field. */
async function refused(
  { audit, onTrouble }: SignInParts,
  { from }: Credentials,
  account: AccountRecord | undefined,
): Promise<Failure> {
  const who = account?.name ?? 'somebody'
  const why = account ? 'wrong password' : 'no such account'
  await audit
    .refused({ account: who, from }, account?.disabled ? 'the account is disabled' : why)
    .catch(onTrouble)
  return new Failure('forbidden', 'name or password is wrong', { forClient: true })
}

interface Checked {
  /** As it was when its password was compared. */
  readonly account: AccountRecord
  readonly from: string
  readonly better: string | undefined
}

/** Undefined when the account was changed meanwhile. */
async function begin(
  { store, clock, life, limits }: SignInParts,
  { account, from, better }: Checked,
): Promise<Session | undefined> {
  const nowMs = clock.now()
  const { id, csrf, record } = newSession(account.name, from, nowMs)
  const deed: Deed = { by: { account: account.name, from }, nowMs }
  let role = account.role
  let isDone = false
  await store.change((records) => {
    const now = records.accounts.get(account.name)
    isDone = now !== undefined && !now.disabled && now.password === account.password
    if (!now || !isDone) return []
    role = now.role
    const changed = { ...now, lastSignInMs: nowMs, ...(better !== undefined && { password: better }) }
    return [
      { kind: 'account', record: changed },
      ...roomForSession(records, life, account.name),
      { kind: 'session', record },
      audited(deed, { action: 'session.begin', target: account.name }),
    ]
  })
  if (!isDone) return undefined
  // Its age is measured from now on.
  life.isLive(record)
  const caller = { kind: 'account', account: account.name, role } as const
  return { id, csrf, caller, endsMs: nowMs + limits().maxMs }
}

/** Ends sessions that are over, and the oldest of this account. */
export function roomForSession(records: AccessRecords, life: SessionLife, account: string): AccessChange[] {
  const over = life.over(records)
  const own = [...records.sessions.values()]
    .filter((session) => session.account === account && !over.includes(session))
    .sort((a, b) => life.lastUse(b).atMs - life.lastUse(a).atMs)
  return [...over, ...own.slice(mostSessions - 1)].map(endOf)
}

function endOf({ hash }: SessionRecord): AccessChange {
  return { kind: 'end-session', hash }
}
