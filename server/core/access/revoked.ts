import type { Caller } from './access.ts'
import type { AccessRecords } from './records.ts'

/** Whose access has ended, or is another now. Without `token` and `session`: everybody with this account. */
export interface Revoked {
  readonly account: string
  readonly token?: string
  /** A session: in the records its hash, for listeners its reference. */
  readonly session?: string
}

/** What is less, or other, in the newer records. */
export function revocations(before: AccessRecords, after: AccessRecords): readonly Revoked[] {
  const found: Revoked[] = []
  for (const [name, { role, disabled }] of before.accounts) {
    const now = after.accounts.get(name)
    if (!now || now.role !== role || (now.disabled && !disabled)) found.push({ account: name })
  }
  for (const [hash, { account, name }] of before.tokens)
    if (!after.tokens.has(hash)) found.push({ account, token: name })
  for (const [hash, { account }] of before.sessions)
    if (!after.sessions.has(hash)) found.push({ account, session: hash })
  return found
}

/** Whether something that was begun for this caller, such as a stream, must end. `session` is the one that it uses. */
export function isRevokedBy(revoked: Revoked, caller: Caller, session?: string): boolean {
  if (revoked.account !== caller.account || caller.kind === 'anonymous') return false
  if (revoked.token !== undefined) return revoked.token === caller.token
  return revoked.session === undefined || revoked.session === session
}
