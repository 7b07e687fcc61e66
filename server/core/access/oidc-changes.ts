import { Failure } from '../failure.ts'
import type { Role } from './access.ts'
import { addAccount, audited, type Deed, endSessions, shownAccount } from './account-changes.ts'
import { isAccountName } from './names.ts'
import type { ProvenPerson } from './oidc.ts'
import type { AccessChange, AccessRecords, AccountRecord } from './records.ts'

/** What a sign-in by a provider means for what is stored. */
export interface ProviderSignIn {
  readonly changes: readonly AccessChange[]
  /** The account as it is after the changes; undefined when the person may not come in. */
  readonly account?: AccountRecord
  readonly refusal?: Failure
}

export interface PersonWithRole {
  readonly person: ProvenPerson
  /** Of the person's groups; undefined when none of them has one. */
  readonly role: Role | undefined
  /** Where it comes from, for the audit. */
  readonly from: string
  readonly nowMs: number
}

/**
 * An account is found by issuer and subject alone, and keeps the name of the first sign-in: a name at the provider may be
 * changed, and given to somebody else. So nobody gets the account of another by taking his name.
 */
export function signInPerson(records: AccessRecords, signIn: PersonWithRole): ProviderSignIn {
  const { person, role } = signIn
  const known = [...records.accounts.values()].find(
    ({ oidc }) => oidc?.issuer === person.issuer && oidc.subject === person.subject,
  )
  if (role === undefined) return withoutRole(records, known, signIn)
  if (!known) return newAccount(records, role, signIn)
  if (known.disabled && !known.oidc?.withoutRole)
    return refused('forbidden', `the account ${known.name} is disabled`)
  const { issuer, subject } = person
  const account: AccountRecord = {
    ...known,
    role,
    disabled: false,
    oidc: { issuer, subject },
    lastSignInMs: signIn.nowMs,
  }
  const isOther = known.role !== role || known.disabled
  return {
    account,
    changes: [{ kind: 'account', record: account }, ...(isOther ? [changed(known, account, signIn)] : [])],
  }
}

/** The tokens of whoever has lost all groups count again when he has one. */
function withoutRole(
  records: AccessRecords,
  known: AccountRecord | undefined,
  signIn: PersonWithRole,
): ProviderSignIn {
  const { issuer, subject, groups } = signIn.person
  // A provider that says nothing of groups takes nobody's: the scope or the claim is wrong.
  if (groups === undefined)
    return refused(
      'forbidden',
      'the provider did not say in which groups you are; access.oidc may need another scope or groups-claim',
    )
  const refusal = refused('forbidden', 'none of your groups has a role on this server')
  if (!known || known.disabled) return refusal
  const record: AccountRecord = { ...known, disabled: true, oidc: { issuer, subject, withoutRole: true } }
  const changes: readonly AccessChange[] = [
    { kind: 'account', record },
    ...endSessions(records, known.name),
    changed(known, record, signIn),
  ]
  return { ...refusal, changes }
}

function newAccount(
  records: AccessRecords,
  role: Role,
  { person, from, nowMs }: PersonWithRole,
): ProviderSignIn {
  const { issuer, subject, name } = person
  if (name === undefined || !isAccountName(name))
    return refused(
      'forbidden',
      'the provider gives you no name that an account can have; access.oidc may need another name-claim',
    )
  const other = records.accounts.get(name)
  if (other)
    return refused(
      'conflict',
      other.oidc
        ? `the account ${name} belongs to somebody else at the provider, or came from another provider; an admin can remove it`
        : `there is an account ${name} with a password already, which a provider never takes over; an admin can remove it`,
    )
  try {
    const deed: Deed = { by: { account: name, from }, nowMs }
    const changes = addAccount(records, deed, { name, role, oidc: { issuer, subject }, lastSignInMs: nowMs })
    const account = changes.find((change) => change.kind === 'account')?.record
    return account ? { account, changes } : { changes }
  } catch (error) {
    if (error instanceof Failure) return { changes: [], refusal: error }
    throw error
  }
}

function changed(before: AccountRecord, after: AccountRecord, { from, nowMs }: PersonWithRole): AccessChange {
  const deed: Deed = { by: { account: before.name, from }, nowMs }
  return audited(deed, {
    action: 'accounts.set',
    target: before.name,
    before: shownAccount(before),
    after: { ...shownAccount(after), why: 'groups at the provider' },
  })
}

function refused(
  kind: 'forbidden' | 'conflict',
  message: string,
): ProviderSignIn & { readonly refusal: Failure } {
  return { changes: [], refusal: new Failure(kind, message, { forClient: true }) }
}
