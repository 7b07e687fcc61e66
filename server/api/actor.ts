import type { Actor } from '../core/access/audit.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import type { Call } from './route.ts'

/** Who sends a request, for the audit. */
export function actorOf({ caller, from }: Pick<Call, 'caller' | 'from'>): Actor {
  return { ...defined({ account: caller?.account ?? 'anonymous', token: caller?.token }), from }
}

/** @throws Failure `unauthenticated`. The router has refused who may not come here, so it is a row that is open. */
export function requireKnown({ caller }: Pick<Call, 'caller'>): NonNullable<Call['caller']> {
  if (!caller || caller.kind === 'anonymous') throw new Failure('unauthenticated', 'sign in, or send a token')
  return caller
}
