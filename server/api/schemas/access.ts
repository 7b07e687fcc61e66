import { z } from 'zod'
import { roles, scopes } from '../../core/access/access.ts'
import { listOf, pageOf, text, time } from './common.ts'

export const role = z.enum(roles, `one of ${roles.join(', ')}`).meta({ id: 'Role' })
export const scope = z.enum(scopes, `one of ${scopes.join(', ')}`).meta({ id: 'Scope' })

/** Who sends this request. */
export const session = z
  .object({
    kind: z.enum(['account', 'token', 'anonymous']),
    account: text,
    token: text.nullable(),
    role,
    scopes: listOf(scope).nullable().meta({ description: 'null: all that the role may' }),
    csrf: text.nullable().meta({
      description: 'what changes must carry in X-CSRF-Token beside the cookie; null where there is no cookie',
    }),
  })
  .meta({ id: 'Session' })

export const account = z
  .object({
    name: text,
    role,
    disabled: z.boolean(),
    hasPassword: z.boolean(),
    issuer: text.nullable().meta({ description: 'the OpenID provider that vouches for it' }),
    created: time,
    lastSignIn: time.nullable(),
    tokens: z.int(),
    sessions: z.int(),
  })
  .meta({ id: 'Account' })

export const accountPage = pageOf(account, 'AccountPage')

export const accountSession = z
  .object({
    reference: text.meta({ description: 'names it, and is worth nothing else' }),
    account: text,
    created: time,
    lastUsed: time,
    from: text.meta({ description: 'the address that used it last' }),
  })
  .meta({ id: 'AccountSession' })

export const accountSessionPage = pageOf(accountSession, 'AccountSessionPage')

const tokenShape = {
  account: text,
  name: text,
  role: role.meta({ description: 'what it was made with' }),
  roleNow: role.nullable().meta({ description: 'what it is worth now; null: nothing' }),
  scopes: listOf(scope).nullable(),
  maker: text,
  created: time,
  expires: time.nullable(),
  expired: z.boolean(),
  lastUsed: time.nullable(),
  lastFrom: text.nullable(),
}

export const token = z.object(tokenShape).meta({ id: 'Token' })

export const newToken = z
  .object({ ...tokenShape, token: text.meta({ description: 'the token itself, shown this once' }) })
  .meta({ id: 'NewTokenResult' })

export const tokenPage = pageOf(token, 'TokenPage')

export const auditLine = z
  .object({
    id: z.int(),
    at: time,
    account: text,
    token: text.nullable(),
    from: text,
    action: text,
    target: text,
    before: z.unknown().meta({ description: 'with its secrets starred; null where there was nothing' }),
    after: z.unknown(),
  })
  .meta({ id: 'AuditLine' })

export const auditPage = pageOf(auditLine, 'AuditPage')
