import { defined } from '../defined.ts'
import { type Caller, type Role, roles } from './access.ts'
import type { AccountRecord, TokenRecord } from './records.ts'

/**
 * Who sends a request with this token; undefined when it is worth nothing (any more). A token is never more than its
 * account is now, so it loses with it: the role, and what an admin alone may give.
 *
 * @param nowMs Milliseconds since 1970.
 */
export function callerOfToken(
  account: AccountRecord | undefined,
  token: TokenRecord,
  nowMs: number,
): Caller | undefined {
  if (!account || account.disabled || account.name !== token.account || isExpired(token, nowMs))
    return undefined
  return defined({
    kind: 'token' as const,
    account: account.name,
    token: token.name,
    role: lesserRole(account.role, token.role),
    scopes: token.scopes?.filter((scope) => scope !== 'answers:reveal' || account.role === 'admin'),
  })
}

export function isExpired({ expiresMs }: Pick<TokenRecord, 'expiresMs'>, nowMs: number): boolean {
  return expiresMs !== undefined && nowMs >= expiresMs
}

export function lesserRole(a: Role, b: Role): Role {
  return roles.indexOf(a) < roles.indexOf(b) ? a : b
}

/** A token with all that it made, and what these made: whoever had stolen it is not left with another one. */
export function withOffspring(all: Iterable<TokenRecord>, token: TokenRecord): readonly TokenRecord[] {
  const siblings = [...all].filter(({ account }) => account === token.account)
  const found = new Set([token])
  for (const each of found)
    for (const sibling of siblings) if (sibling.parent === each.name) found.add(sibling)
  return [...found]
}
