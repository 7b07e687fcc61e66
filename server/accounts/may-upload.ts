import { whyNotAllowed } from '../core/access/access.ts'
import { failureKind } from '../core/failure.ts'
import type { Accounts } from './accounts.ts'

/** The user name that fits every token, for programs that ask for a name. */
export const anyUser = 'admin'

/** What an FTP client logs in with. */
export interface UploadLogin {
  readonly user: string
  readonly password: string
  /** The address of the client. */
  readonly from: string
  /** Whether nobody on the way can read it. */
  readonly isSecure: boolean
}

/** What an upload needs of whoever sends it, by every service. */
export const uploadNeed = { role: 'operator', scope: 'uploads' } as const

/**
 * Whether somebody may upload who has a user name and a password: a token is the password of its account, and of
 * `admin`. The password of an account is taken only where the connection is encrypted.
 */
export async function mayUpload(
  accounts: Accounts,
  { user, password, from, isSecure }: UploadLogin,
): Promise<boolean> {
  const caller = await accounts.callerOfToken(password, from)
  if (caller)
    return (user === anyUser || user === caller.account) && whyNotAllowed(caller, uploadNeed) === undefined
  if (!isSecure) return false
  try {
    const session = await accounts.signIn(user, password, from)
    await accounts.signOut(session.id, from)
    return whyNotAllowed(session.caller, uploadNeed) === undefined
  } catch (error) {
    if (failureKind(error) === 'internal') throw error
    return false
  }
}
