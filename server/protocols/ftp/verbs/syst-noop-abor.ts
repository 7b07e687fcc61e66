// SYST, NOOP, ABOR: RFC 959 section 4.1.3. CLNT is not in an RFC: clients send their name with it.

import { forAnyone, forLoggedIn, reply } from './verb.ts'

/** `UNIX`, because every client can read a listing as `ls -l` writes it. */
export const syst = forAnyone(() => reply(215, 'UNIX Type: L8'))

export const noop = forAnyone(() => reply(200, 'Ready'))

export const clnt = forAnyone(() => reply(200, 'Noted'))

/**
 * The transfer has ended already: the session ended it when the line of ABOR came in (RFC 959 section 4.1.3).
 */
export const abor = forLoggedIn((_state, _argument, { dataPort }) => {
  dataPort.close()
  return reply(226, 'No transfer is under way any more', { restartAt: 0 })
})
