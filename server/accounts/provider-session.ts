import type { Role } from '../core/access/access.ts'
import { audited, type Deed } from '../core/access/account-changes.ts'
import { isAccountName } from '../core/access/names.ts'
import type { ProvenPerson } from '../core/access/oidc.ts'
import { signInPerson } from '../core/access/oidc-changes.ts'
import type { AccountRecord } from '../core/access/records.ts'
import { Failure } from '../core/failure.ts'
import { newSession, type Session } from './sessions.ts'
import { roomForSession, type SignInParts } from './sign-in.ts'

/** Somebody who was proved to be this person. */
export interface Arrival {
  readonly person: ProvenPerson
  readonly role: Role | undefined
  readonly from: string
}

/**
 * Makes or updates the account of a person for whom a provider vouches, and begins a session.
 *
 * @throws Failure `forbidden` or `conflict` for whoever may not come in.
 */
export async function beginProviderSession(
  { store, clock, life, limits, audit, onTrouble }: Omit<SignInParts, 'passwords' | 'throttle'>,
  { person, role, from }: Arrival,
): Promise<Session> {
  const nowMs = clock.now()
  const { id, csrf, record } = newSession('', from, nowMs)
  let account: AccountRecord | undefined
  let refusal: Failure | undefined
  await store.change((records) => {
    const signIn = signInPerson(records, { person, role, from, nowMs })
    ;({ account, refusal } = signIn)
    if (!account) return signIn.changes
    const { name } = account
    const deed: Deed = { by: { account: name, from }, nowMs }
    return [
      ...signIn.changes,
      ...roomForSession(records, life, name),
      { kind: 'session', record: { ...record, account: name } },
      audited(deed, { action: 'session.begin', target: name, after: { issuer: person.issuer } }),
    ]
  })
  if (!account) {
    const why = refusal ?? new Failure('unavailable', 'the account was not stored; try again')
    const who = person.name !== undefined && isAccountName(person.name) ? person.name : 'somebody'
    await audit.refused({ account: who, from }, why.message).catch(onTrouble)
    throw why
  }
  // Its age is measured from now on.
  life.isLive({ ...record, account: account.name })
  const caller = { kind: 'account', account: account.name, role: account.role } as const
  return { id, csrf, caller, endsMs: nowMs + limits().maxMs }
}
