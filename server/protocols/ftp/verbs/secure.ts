// AUTH, PBSZ, PROT, CCC: RFC 2228 as RFC 4217 uses it for TLS.

import { TLSSocket } from 'node:tls'
import { forAnyone } from './verb.ts'

/** RFC 4217 section 4. `SSL` is what some old clients still call it. */
export const auth = forAnyone((session, mechanism) => {
  const { secure } = session.means
  if (!secure) return session.reply(502, 'TLS is not configured here')
  if (!/^(TLS|TLS-C|SSL)$/i.test(mechanism)) return session.reply(504, 'Only AUTH TLS is known')
  if (session.isSecure) return session.reply(503, 'This connection is encrypted already')
  session.reply(234, 'Go ahead with TLS')
  // What was sent after AUTH, in the clear, may be anybody's: it is forgotten, and so is any login.
  const plain = session.detach()
  session.loggedIn(undefined)
  session.user = undefined
  session.isSecure = true
  session.attach(new TLSSocket(plain, { isServer: true, secureContext: secure }))
})

export const pbsz = forAnyone((session) => {
  if (!session.isSecure) return session.reply(503, 'AUTH TLS first')
  session.reply(200, 'PBSZ=0')
})

export const prot = forAnyone((session, level) => {
  if (!session.isSecure) return session.reply(503, 'AUTH TLS first')
  switch (level.toUpperCase()) {
    case 'C':
    case 'P':
      session.protectsData = level.toUpperCase() === 'P'
      return session.reply(200, session.protectsData ? 'Data will be encrypted' : 'Data will be in the clear')
    case 'S':
    case 'E':
      return session.reply(536, 'Only PROT C and PROT P')
    default:
      return session.reply(504, 'Only PROT C and PROT P')
  }
})

/** Going back to the clear would leave the rest of the session open to whoever listens (RFC 4217 section 12.3 lets us refuse). */
export const ccc = forAnyone((session) => session.reply(534, 'The control connection stays encrypted'))
