// PASV, PORT: RFC 959 section 4.1.2. EPSV, EPRT: RFC 2428. Bounces and theft: RFC 2577.

import { isIPv4 } from 'node:net'
import { type Endpoint, formatPort, isSameAddress, parseEprt, parsePort } from '../addresses.ts'
import type { Session } from '../session.ts'
import { forReaders } from './verb.ts'

export const pasv = forReaders(async (session) => {
  if (isBarred(session)) return
  const { localAddress = '' } = session.who
  const address = session.means.publicAddress ?? localAddress
  if (!isIPv4(session.who.address) || !isIPv4(address))
    return session.reply(425, 'PASV can tell IPv4 addresses only; send EPSV')
  const port = await listen(session)
  if (port !== undefined) session.reply(227, `Entering Passive Mode (${formatPort({ address, port })})`)
})

/** An argument asks for a protocol, which can only be that of the control connection, or announces that EPSV is all we will hear. */
export const epsv = forReaders(async (session, argument) => {
  if (argument.toUpperCase() === 'ALL') {
    session.onlyEpsv = true
    return session.reply(200, 'Only EPSV from now on')
  }
  const ours = isIPv4(session.who.address) ? '1' : '2'
  if (argument !== '' && argument !== ours)
    return /^\d+$/.test(argument)
      ? session.reply(522, `Network protocol not supported, use (${ours})`)
      : session.reply(501, 'EPSV takes 1, 2, ALL or nothing')
  const port = await listen(session)
  if (port !== undefined) session.reply(229, `Entering Extended Passive Mode (|||${port}|)`)
})

async function listen(session: Session): Promise<number | undefined> {
  try {
    return await session.data.listen()
  } catch {
    session.reply(425, 'No port is free for a data connection; try again later')
    return undefined
  }
}

export const port = forReaders((session, argument) => {
  if (isBarred(session)) return
  const endpoint = parsePort(argument)
  if (!endpoint) return session.reply(501, 'PORT takes six numbers: h1,h2,h3,h4,p1,p2')
  dial(session, endpoint)
})

export const eprt = forReaders((session, argument) => {
  if (isBarred(session)) return
  const endpoint = parseEprt(argument)
  if (endpoint === 'family') return session.reply(522, 'Network protocol not supported, use (1,2)')
  if (!endpoint) return session.reply(501, 'EPRT takes |protocol|address|port|')
  dial(session, endpoint)
})

/** Only to the client itself, and to none of its services: whoever could name another would have us speak to it. */
function dial(session: Session, endpoint: Endpoint): void {
  if (!isSameAddress(endpoint.address, session.who.address) || endpoint.port < 1024) {
    session.noise(`asked for a data connection to ${endpoint.address} port ${endpoint.port}: refused`)
    return void session.reply(504, 'Data connections go to your own address only, and to ports from 1024 on')
  }
  session.data.dial(endpoint)
  session.reply(200, 'Will connect there')
}

function isBarred(session: Session): boolean {
  if (session.onlyEpsv) session.reply(501, 'Only EPSV after EPSV ALL')
  return session.onlyEpsv
}
