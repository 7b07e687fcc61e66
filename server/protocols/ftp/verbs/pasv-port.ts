// PASV, PORT: RFC 959 section 4.1.2. EPSV, EPRT: RFC 2428. Attacks through data connections: RFC 2577.

import { isIPv4 } from 'node:net'
import { isSameIp } from '../../../core/net/address.ts'
import { type Endpoint, formatPort, parseEprt, parsePort } from '../data/endpoint.ts'
import { forLoggedIn, reply, type VerbContext, type VerbFunction, type VerbReply } from './verb.ts'

export const pasv = forLoggedIn(
  unlessOnlyEpsv(async (_state, _argument, context) => {
    const { client, publicAddress } = context
    const address = publicAddress ?? client.localAddress
    if (!isIPv4(client.address) || !isIPv4(address)) return reply(425, 'PASV works over IPv4 only; send EPSV')
    return listen(context, (port) => reply(227, `Entering Passive Mode (${formatPort({ address, port })})`))
  }),
)

/**
 * EPSV. Its argument is empty, the protocol number of the control connection (1 or 2), or ALL: after ALL the
 * client may use EPSV only.
 */
export const epsv = forLoggedIn(async (_state, argument, context) => {
  if (argument.toUpperCase() === 'ALL') return reply(200, 'Only EPSV from now on', { onlyEpsv: true })
  const ours = isIPv4(context.client.address) ? '1' : '2'
  if (argument === '' || argument === ours)
    return listen(context, (port) => reply(229, `Entering Extended Passive Mode (|||${port}|)`))
  return /^\d+$/.test(argument)
    ? reply(522, `Network protocol not supported, use (${ours})`)
    : reply(501, 'EPSV takes 1, 2, ALL or nothing')
})

export const port = forLoggedIn(
  unlessOnlyEpsv((_state, argument, context) => {
    const endpoint = parsePort(argument)
    if (!endpoint) return reply(501, 'PORT takes six numbers: h1,h2,h3,h4,p1,p2')
    return connectTo(endpoint, context)
  }),
)

export const eprt = forLoggedIn(
  unlessOnlyEpsv((_state, argument, context) => {
    const endpoint = parseEprt(argument)
    if (endpoint === 'family') return reply(522, 'Network protocol not supported, use (1,2)')
    if (!endpoint) return reply(501, 'EPRT takes |protocol|address|port|')
    return connectTo(endpoint, context)
  }),
)

function unlessOnlyEpsv(run: VerbFunction): VerbFunction {
  return (state, argument, context) =>
    state.onlyEpsv ? reply(501, 'Only EPSV after EPSV ALL') : run(state, argument, context)
}

async function listen({ dataPort }: VerbContext, replyFor: (port: number) => VerbReply): Promise<VerbReply> {
  try {
    return replyFor(await dataPort.listen())
  } catch {
    return reply(425, 'No port is free for a data connection; try again later')
  }
}

/**
 * Agrees on a port of the client itself, but not on a port of its services (RFC 2577 section 3). A client
 * that could name another machine could make us connect to that machine.
 */
function connectTo({ address, port }: Endpoint, { client, dataPort }: VerbContext): VerbReply {
  if (isSameIp(address, client.address) && port >= 1024) {
    dataPort.connectTo(port)
    return reply(200, 'Will connect there')
  }
  return {
    code: 504,
    text: 'Data connections go to your own address only, and to ports from 1024 on',
    noise: `asked for a data connection to ${address} port ${port}: refused`,
  }
}
