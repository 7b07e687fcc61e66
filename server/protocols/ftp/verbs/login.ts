// USER, PASS, ACCT, REIN, QUIT: RFC 959 section 4.1.1. The anonymous convention: RFC 1635. HOST: RFC 7151.

import { initialState, type StateChange } from '../session/state.ts'
import { type FtpContext, forAnyone, reply } from './verb.ts'

const anonymousNames = new Set(['anonymous', 'ftp'])

export const user = forAnyone((_state, name, { authenticate }) => {
  if (name === '') return reply(501, 'USER needs a name; anonymous is one')
  if (anonymousNames.has(name.toLowerCase()))
    return reply(331, 'Anonymous access; any password will do', loggingInAs('anonymous'))
  if (!authenticate) return reply(530, 'Only anonymous access here', loggingInAs(undefined))
  return reply(331, 'Password required', loggingInAs(name))
})

function loggingInAs(name: string | undefined): StateChange {
  return { user: name, login: undefined }
}

export const pass = forAnyone(async (state, password, context) => {
  const { user: name } = state
  if (name === undefined) return reply(503, 'USER first')
  if (name === 'anonymous') return reply(230, 'Welcome; read-only', { login: 'anonymous' })
  const { authenticate, guard, limits, client } = context
  // The right password always gets in: a stranger behind the same address must not lock the administrator out.
  if (await authenticate?.({ user: name, password, from: client.address, isSecure: state.isSecure }))
    return reply(230, welcome(context), { login: 'administrator' })
  guard.failed(client.address)
  const loginTries = state.loginTries + 1
  const refused = {
    set: { user: undefined, loginTries },
    noise: `login refused for user ${JSON.stringify(name.slice(0, 64))}`,
  }
  return loginTries >= limits.loginTries || !guard.allows(client.address)
    ? { ...refused, code: 421, text: 'Too many wrong passwords', afterwards: 'close' }
    : { ...refused, code: 530, text: 'Wrong user or password' }
})

function welcome({ uploads }: FtpContext): string {
  return uploads
    ? `Welcome; upload trees to ${uploads.root}, then SITE PUBLISH`
    : 'Welcome; read-only, because no upload area is configured'
}

/** Ignores its argument: none of our replies asks for an account (code 332). */
export const acct = forAnyone(() => reply(202, 'No account needed'))

/** Resets the session, except for its encryption and its count of wrong passwords. */
export const rein = forAnyone(({ isSecure, protectsData, loginTries }, _argument, { dataPort }) => {
  dataPort.close()
  return reply(220, 'Ready for a new user', { ...initialState, isSecure, protectsData, loginTries })
})

/** Commands run in turn, so no transfer is running any more. */
export const quit = forAnyone(() => ({ code: 221, text: 'Goodbye', afterwards: 'close' }))

/** HOST names the server that the client means: all names of this server have the same namespace. */
export const host = forAnyone(({ login }, name) => {
  if (login) return reply(503, 'HOST comes before USER')
  if (name === '') return reply(501, 'HOST needs a name')
  return reply(220, 'The same trees under every name')
})
