import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Caller,
  type Need,
  type Role,
  roles,
  type Scope,
  scopes,
  whyNotAllowed,
  whyNotGranted,
} from '../../../server/core/access/access.ts'

const account = (role: Role): Caller => ({ kind: 'account', account: 'anna', role })
const token = (role: Role, ...narrowed: Scope[]): Caller => ({
  kind: 'token',
  account: 'anna',
  token: 'ci',
  role,
  scopes: narrowed,
})

describe('whyNotAllowed', () => {
  it('gives each role what the roles before it may', () => {
    const allowed = roles.map((role) =>
      roles.filter((needed) => whyNotAllowed(account(role), { role: needed }) === undefined),
    )
    expect(allowed).toEqual([['viewer'], ['viewer', 'operator'], ['viewer', 'operator', 'admin']])
  })

  it('names role and caller in its reason', () => {
    expect(whyNotAllowed(account('viewer'), { role: 'operator' })).toBe(
      'this needs the role operator; anna is viewer',
    )
  })

  it('narrows a token to its scopes, and to what shows no guest', () => {
    const uploader = token('operator', 'uploads')
    expect(whyNotAllowed(uploader, { role: 'operator', scope: 'uploads' })).toBeUndefined()
    expect(whyNotAllowed(uploader, { role: 'viewer' })).toBeUndefined()
    expect(whyNotAllowed(uploader, { role: 'viewer', scope: 'guests:read' })).toContain('scope guests:read')
    expect(whyNotAllowed(uploader, { role: 'operator' })).toContain('a token without scopes')
  })

  it('reveals answers to no role, only to a token with that scope', () => {
    const need: Need = { role: 'operator', scope: 'answers:reveal' }
    expect(whyNotAllowed(account('admin'), need)).toContain('no role has it by itself')
    expect(whyNotAllowed(token('operator', 'answers:reveal'), need)).toBeUndefined()
    expect(whyNotAllowed(token('viewer', 'answers:reveal'), need)).toContain('role operator')
  })
})

describe('whyNotGranted', () => {
  const grant = fc.record(
    { role: fc.constantFrom(...roles), scopes: fc.subarray([...scopes]) },
    { requiredKeys: ['role'] },
  ) as fc.Arbitrary<{ role: Role; scopes?: Scope[] }>
  const need = fc.record(
    { role: fc.constantFrom(...roles), scope: fc.constantFrom(...scopes) },
    { requiredKeys: ['role'] },
  ) as fc.Arbitrary<Need>

  it('lets nobody make a token that may do more than he may himself', () => {
    fc.assert(
      fc.property(grant, grant, need, (own, wanted, needed) => {
        const maker: Caller = { kind: own.scopes ? 'token' : 'account', account: 'anna', ...own }
        if (whyNotGranted(maker, wanted) !== undefined) return
        const made: Caller = { kind: 'token', account: 'anna', token: 'new', ...wanted }
        // An administrator may give `answers:reveal` without having it.
        if (needed.scope === 'answers:reveal' && own.role === 'admin') return
        if (whyNotAllowed(made, needed) === undefined) expect(whyNotAllowed(maker, needed)).toBeUndefined()
      }),
    )
  })
})
