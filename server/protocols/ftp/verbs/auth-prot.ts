// AUTH, PBSZ, PROT, CCC: RFC 2228 as RFC 4217 uses it for TLS.

import { forAnyone, reply } from './verb.ts'

/**
 * AUTH, RFC 4217 section 4. Some old clients say `SSL` for TLS. The session forgets any login, and also what
 * was sent in the clear after AUTH: anyone on the way may have sent it.
 */
export const auth = forAnyone(({ isSecure }, mechanism, { secure }) => {
  if (!secure) return reply(502, 'TLS is not configured here')
  if (!/^(TLS|TLS-C|SSL)$/i.test(mechanism)) return reply(504, 'Only AUTH TLS is known')
  if (isSecure) return reply(503, 'This connection is encrypted already')
  const set = { login: undefined, user: undefined, isSecure: true }
  return { code: 234, text: 'Begin TLS now', set, afterwards: 'start-tls' }
})

export const pbsz = forAnyone(({ isSecure }) => {
  if (!isSecure) return reply(503, 'AUTH TLS first')
  return reply(200, 'PBSZ=0')
})

export const prot = forAnyone(({ isSecure }, level) => {
  if (!isSecure) return reply(503, 'AUTH TLS first')
  switch (level.toUpperCase()) {
    case 'C':
      return reply(200, 'Data will be in the clear', { protectsData: false })
    case 'P':
      return reply(200, 'Data will be encrypted', { protectsData: true })
    case 'S':
    case 'E':
      return reply(536, 'Only PROT C and PROT P')
    default:
      return reply(504, 'Only PROT C and PROT P')
  }
})

/**
 * Always refused, as RFC 4217 section 12.3 allows: without encryption anyone on the way could read or change
 * the rest of the session.
 */
export const ccc = forAnyone(() => reply(534, 'The control connection stays encrypted'))
