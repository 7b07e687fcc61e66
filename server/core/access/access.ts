/** Who may do what. Each role may also do all that the roles before it may. */
export const roles = ['viewer', 'operator', 'admin'] as const
export type Role = (typeof roles)[number]

/**
 * What a token can be narrowed to. A token without scopes may do all that its role may, except `answers:reveal`,
 * which no role has by itself.
 */
export const scopes = [
  'uploads',
  'guests:read',
  'guests:write',
  'guests:order',
  'templates:write',
  'answers:reveal',
  'admin',
] as const
export type Scope = (typeof scopes)[number]

/** Who sends a request, once that is proved. */
export interface Caller {
  /**
   * `account`: a person with a session. `token`: a program. `anonymous`: somebody without credentials, where
   * `access.anonymous` of the configuration gives them a role.
   */
  readonly kind: 'account' | 'token' | 'anonymous'
  /** The name of the account: for a token that of its maker. `anonymous` for nobody. */
  readonly account: string
  /** The name of the token. */
  readonly token?: string
  readonly role: Role
  /** Only for a token that is narrowed to these. */
  readonly scopes?: readonly Scope[]
}

/** What a request needs of its caller. */
export interface Need {
  readonly role: Role
  /**
   * The scope by which a narrowed token may do it. Without one a narrowed token may only do it when `role` is
   * `viewer`: what shows no guest is open to every token.
   */
  readonly scope?: Scope
}

export function hasRole({ role }: Pick<Caller, 'role'>, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed)
}

/** Why a caller may not do what has this need, in words for the caller; undefined when he may. */
export function whyNotAllowed(caller: Caller, { role, scope }: Need): string | undefined {
  if (!hasRole(caller, role)) return `this needs the role ${role}; ${callerText(caller)} is ${caller.role}`
  // No role implies it: whoever is to see secrets has a token made for that.
  if (scope === 'answers:reveal' && !caller.scopes?.includes(scope))
    return `this needs a token with the scope ${scope}; no role has it by itself`
  if (caller.scopes === undefined) return undefined
  if (scope === undefined && role === 'viewer') return undefined
  if (scope !== undefined && caller.scopes.includes(scope)) return undefined
  const needed = scope === undefined ? 'a token without scopes' : `the scope ${scope}`
  return `this needs ${needed}; ${callerText(caller)} has ${caller.scopes.join(', ') || 'none'}`
}

/** `anna`, `anna (token ci)`: for people, the audit and the reason of a held guest. */
export function callerText({ account, token }: Pick<Caller, 'account' | 'token'>): string {
  return token === undefined ? account : `${account} (token ${token})`
}

/** Whether a token may be made: a token is never more than its maker. */
export function whyNotGranted(
  maker: Caller,
  wanted: { readonly role: Role; readonly scopes?: readonly Scope[] },
): string | undefined {
  if (!hasRole(maker, wanted.role))
    return `a token is never more than its maker: ${callerText(maker)} is ${maker.role}, not ${wanted.role}`
  // An admin has not got `answers:reveal` by himself, and may give it: that is what the audit is for.
  const missing = (scope: Scope): boolean =>
    scope === 'answers:reveal' && maker.scopes === undefined
      ? maker.role !== 'admin'
      : maker.scopes !== undefined && !maker.scopes.includes(scope)
  const beyond = wanted.scopes?.find(missing)
  if (beyond !== undefined) return `${callerText(maker)} has no scope ${beyond} to give`
  if (wanted.scopes === undefined && maker.scopes !== undefined)
    return `${callerText(maker)} is narrowed to scopes, and so is every token that it makes`
  return undefined
}
