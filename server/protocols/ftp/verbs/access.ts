// USER, PASS, ACCT, REIN, QUIT: RFC 959 section 4.1.1. The anonymous convention: RFC 1635.

import { rootPath } from '../../../files/path.ts'
import type { Session } from '../session.ts'
import { forAnyone } from './verb.ts'

const anonymousNames = new Set(['anonymous', 'ftp'])

export const user = forAnyone((session, name) => {
  if (name === '') return session.reply(501, 'USER needs a name; anonymous is one')
  session.loggedIn(undefined)
  session.user = undefined
  if (anonymousNames.has(name.toLowerCase())) {
    session.user = 'anonymous'
    return session.reply(331, 'Anonymous access; any password will do')
  }
  if (!session.means.authenticate) return session.reply(530, 'Only anonymous access here')
  session.user = name
  session.reply(331, 'Password, please')
})

export const pass = forAnyone(async (session, password) => {
  const { user: name } = session
  if (name === undefined) return session.reply(503, 'USER first')
  if (name === 'anonymous') {
    session.loggedIn('anonymous')
    return session.reply(230, 'Welcome; read-only')
  }
  const { authenticate, guard, limits } = session.means
  const { address } = session.who
  const good = guard.allows(address) && (await authenticate?.(name, password))
  if (good) {
    session.loggedIn('administrator')
    return session.reply(230, welcome(session))
  }
  guard.failed(address)
  session.user = undefined
  session.loginTries++
  session.noise(`login refused for user ${JSON.stringify(name.slice(0, 64))}`)
  if (session.loginTries >= limits.loginTries) return session.close(421, 'Too many wrong passwords')
  session.reply(530, 'Wrong user or password')
})

function welcome({ means }: Session): string {
  return means.uploads
    ? `Welcome; upload trees to ${means.uploads.root}, then SITE PUBLISH`
    : 'Welcome; read-only, for there is no upload area'
}

/** No account is ever asked for (code 332), so none is looked at. */
export const acct = forAnyone((session) => session.reply(202, 'No account needed'))

/** Everything as at the start, but the encryption of the control connection stays. */
export const rein = forAnyone((session) => {
  session.data.close()
  session.loggedIn(undefined)
  session.user = undefined
  session.cwd = rootPath
  session.type = 'A'
  session.restartAt = 0
  session.onlyEpsv = false
  session.reply(220, 'Ready for a new user')
})

/** Commands come in turn, so a running transfer is over by now. */
export const quit = forAnyone((session) => session.close(221, 'Goodbye'))
