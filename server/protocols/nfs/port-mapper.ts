import { bracketed } from '../../core/net/address.ts'
import { isWildcard } from '../listen-addresses.ts'
import { type Mapping, portmapPort } from './portmap.ts'
import { register, unregister } from './rpcbind.ts'
import { TcpListenSocket, type TransportHooks } from './tcp.ts'
import { UdpListenSockets } from './udp.ts'

/** Which port mapper tells clients where NFS is: ours, the machine's rpcbind, or none, with the reason. */
export type PortMapperState =
  | { readonly type: 'ours'; readonly port: number }
  | { readonly type: 'rpcbind' }
  | { readonly type: 'none'; readonly reason: string }

export interface PortMapper {
  readonly state: PortMapperState
  /** Closes our own port mapper (see `TcpListenSocket.close`), or unregisters us from the machine's. */
  stop(cut: AbortSignal): Promise<void>
}

const noMapper = (reason: string): PortMapper => ({
  state: { type: 'none', reason },
  stop: () => Promise.resolve(),
})

/**
 * Opens a port mapper, or registers with the machine's. `off`: no port mapper. A number: our own on this
 * port; rejects when the port is taken. `auto`: our own on port 111; when an rpcbind has that port, we
 * register with it; otherwise no port mapper, and clients must name the ports.
 *
 * @param mappings What an rpcbind is told.
 * @param hooks Reply to the calls that come to our own port mapper. They have the mappings already.
 */
export async function openPortMapper(
  wanted: 'auto' | 'off' | number,
  bind: string,
  mappings: readonly Mapping[],
  hooks: TransportHooks,
): Promise<PortMapper> {
  if (wanted === 'off') return noMapper('the port mapper is switched off')
  if (wanted !== 'auto') return openOurs(bind, wanted, hooks)
  try {
    return await openOurs(bind, portmapPort, hooks)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM')
      return noMapper(`port ${portmapPort} needs root or CAP_NET_BIND_SERVICE`)
    if (code !== 'EADDRINUSE') return noMapper(message)
  }
  return joinRpcbind(mappings)
}

async function openOurs(bind: string, port: number, hooks: TransportHooks): Promise<PortMapper> {
  const tcp = new TcpListenSocket(hooks)
  const bound = await tcp.open(bind, port)
  const udp = new UdpListenSockets(hooks)
  try {
    await udp.open(bind, bound)
  } catch (error) {
    await tcp.close()
    throw error
  }
  return {
    state: { type: 'ours', port: bound },
    async stop(cut) {
      udp.close()
      await tcp.close(cut)
    },
  }
}

async function joinRpcbind(mappings: readonly Mapping[]): Promise<PortMapper> {
  try {
    const result = await register(mappings)
    if (result.type === 'refused') return noMapper(result.reason)
    return { state: { type: 'rpcbind' }, stop: () => unregister(mappings) }
  } catch (error) {
    return noMapper(`port ${portmapPort} is taken, but not by an rpcbind: ${(error as Error).message}`)
  }
}

/** Why a client that asks the port mapper of this machine does not find us there; undefined when it does. */
export function whyUnmapped(mapper: PortMapperState): string | undefined {
  if (mapper.type === 'none') return mapper.reason
  if (mapper.type === 'rpcbind' || mapper.port === portmapPort) return undefined
  return `our port mapper has port ${mapper.port}, and clients ask at ${portmapPort}`
}

/**
 * How a client mounts us, as one line that can be typed. It names the ports unless the client finds them by
 * itself, and then says why. `nolock`: NFS version 3 has its locks in another protocol, which a read-only
 * server does not need.
 */
export function mountHint(host: string, port: number, mapper: PortMapperState): string {
  const options =
    whyUnmapped(mapper) === undefined
      ? 'nfsvers=3,nolock'
      : `nfsvers=3,port=${port},mountport=${port},proto=tcp,mountproto=tcp,nolock`
  const why = mapper.type === 'none' ? ` (${mapper.reason})` : ''
  return `mount -t nfs -o ${options} ${serverName(host)}:/trees /mnt${why}`
}

function serverName(host: string): string {
  if (isWildcard(host)) return 'HOST'
  return bracketed(host)
}
