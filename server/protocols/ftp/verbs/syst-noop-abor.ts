// SYST, NOOP, ABOR: RFC 959 section 4.1.3. CLNT: a custom of clients, which name themselves with it.

import { forAnyone, forReaders, reply } from './verb.ts'

/** Every client can read the listing of a Unix. */
export const syst = forAnyone(() => reply(215, 'UNIX Type: L8'))

export const noop = forAnyone(() => reply(200, 'Ready'))

export const clnt = forAnyone(() => reply(200, 'Noted'))

/**
 * A transfer that was running is over: the session ended it when the line came in (RFC 959 section 4.1.3).
 */
export const abor = forReaders((_state, _argument, { dataPort }) => {
  dataPort.close()
  return reply(226, 'No transfer is under way any more', { restartAt: 0 })
})
