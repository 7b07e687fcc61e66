import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { type Mapping, portmapPort, portmapProgram, protocolNumbers } from './portmap.ts'
import { decodeReply, encodeCall, type OutgoingCall } from './rpc.ts'
import { type XdrReader, XdrWriter } from './xdr.ts'

const [procedureSet, procedureUnset, procedureGetPort] = [1, 2, 3]
const portmapVersion = 2
const loopback = '127.0.0.1'
const replyMs = 1_000
const tries = 3
/** How many ports below 1024 we try: others may be taken. */
const privilegedTries = 20

/** How a registration ended. After a refusal none of its mappings is registered. */
export type Registration =
  | { readonly type: 'registered' }
  | { readonly type: 'refused'; readonly reason: string }

/**
 * Registers mappings with the rpcbind of this machine (PMAPPROC_SET, RFC 1833 section 3.2). Without `-i`,
 * rpcbind takes registrations over loopback from privileged ports only.
 */
export async function register(mappings: readonly Mapping[], port = portmapPort): Promise<Registration> {
  for (const [index, mapping] of mappings.entries()) {
    const reason = await registerOne(mapping, port)
    if (reason === undefined) continue
    await unregister(mappings.slice(0, index), port)
    return { type: 'refused', reason }
  }
  return { type: 'registered' }
}

/** Registers one mapping. Resolves to the reason why rpcbind refuses; undefined when it is registered. */
async function registerOne(mapping: Mapping, port: number): Promise<string | undefined> {
  if (await callRpcbind(mapping, procedureSet, port)) return undefined
  const registeredPort = await callRpcbind(mapping, procedureGetPort, port)
  if (registeredPort === 0) return 'rpcbind refuses our registration'
  const name = `program ${mapping.program} version ${mapping.version}`
  if (registeredPort !== mapping.port && (await isAlive(registeredPort)))
    return `rpcbind has ${name} at port ${registeredPort}: another NFS server runs`
  // A server that has crashed left its registration.
  await callRpcbind(mapping, procedureUnset, port)
  if (await callRpcbind(mapping, procedureSet, port)) return undefined
  return `rpcbind keeps an old ${name} at port ${registeredPort}; restart rpcbind`
}

/** Removes registrations. One PMAPPROC_UNSET removes a version with all its transports. */
export async function unregister(mappings: readonly Mapping[], port = portmapPort): Promise<void> {
  const versions = new Map(mappings.map((each) => [`${each.program} ${each.version}`, each]))
  // Without a reply there is no rpcbind any more, and nothing to remove.
  for (const mapping of versions.values()) await callRpcbind(mapping, procedureUnset, port).catch(() => 0)
}

/**
 * Calls a procedure of rpcbind. Resolves to a boolean or a port; 0 when rpcbind refuses. Rejects without a
 * reply.
 */
async function callRpcbind(mapping: Mapping, procedure: number, port: number): Promise<number> {
  const args = new XdrWriter()
  args.u32(mapping.program).u32(mapping.version).u32(protocolNumbers[mapping.transport]).u32(mapping.port)
  const call = { program: portmapProgram, version: portmapVersion, procedure, args: args.bytes }
  const reply = await callUdp(call, port)
  return reply.u32()
}

async function callUdp(call: OutgoingCall, port: number): Promise<XdrReader> {
  const xid = (Date.now() & 0xffff_ffff) >>> 0
  const message = encodeCall(xid, call)
  const socket = createSocket('udp4')
  try {
    await bindPrivileged(socket)
    return await new Promise<XdrReader>((resolve, reject) => {
      let left = tries
      const send = (): void => {
        if (left-- > 0) socket.send(message, port, loopback)
        else reject(new Error(`no reply from port ${port}`))
      }
      const timer = setInterval(send, replyMs)
      socket.on('error', reject)
      socket.on('close', () => clearInterval(timer))
      socket.on('message', (bytes) => {
        try {
          const reply = decodeReply(bytes, xid)
          if (reply) resolve(reply)
        } catch (error) {
          reject(error)
        }
      })
      send()
    })
  } finally {
    socket.close()
  }
}

/** Binds a free port below 1024, or any port when we may not bind those. */
async function bindPrivileged(socket: ReturnType<typeof createSocket>): Promise<void> {
  for (let port = 1023; port > 1023 - privilegedTries; port--) {
    const outcome = await bindTo(socket, port)
    if (outcome === 'bound') return
    if (outcome !== 'EADDRINUSE') break
  }
  await bindTo(socket, 0)
}

/** Resolves to `bound`, or to the code of the error. Port 0: any free port. */
function bindTo(socket: ReturnType<typeof createSocket>, port: number): Promise<string> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException): void => resolve(error.code ?? 'failed')
    socket.once('error', failed)
    socket.bind({ address: loopback, port, exclusive: true }, () => {
      socket.off('error', failed)
      resolve('bound')
    })
  })
}

/** Whether a program of this machine accepts connections on the port. UDP has no such test. */
function isAlive(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: loopback, timeout: replyMs })
    const settle = (alive: boolean): void => {
      socket.destroy()
      resolve(alive)
    }
    socket.once('connect', () => settle(true))
    socket.once('timeout', () => settle(false))
    socket.once('error', () => settle(false))
  })
}
