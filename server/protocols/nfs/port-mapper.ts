import type { Mapping } from './portmap.ts'
import { portmapPort } from './portmap.ts'
import { register, unregister } from './rpcbind.ts'
import { TcpEar, type TransportHooks } from './tcp.ts'
import { UdpEar } from './udp.ts'

/** Who tells clients where NFS is: we, the machine's rpcbind, or nobody, and why. */
export type PortMapperState =
  | { readonly type: 'ours'; readonly port: number }
  | { readonly type: 'rpcbind' }
  | { readonly type: 'none'; readonly reason: string }

export interface PortMapper {
  readonly state: PortMapperState
  stop(graceMs: number): Promise<void>
}

const nobody = (reason: string): PortMapper => ({
  state: { type: 'none', reason },
  stop: () => Promise.resolve(),
})

/**
 * `off`: none. A number: our own, there or nowhere (it rejects). `auto`: our own on port 111; the running rpcbind when
 * that has the port; otherwise none, which only means that clients must name the ports.
 */
export async function openPortMapper(
  wanted: 'auto' | 'off' | number,
  bind: string,
  mappings: readonly Mapping[],
  hooks: TransportHooks,
): Promise<PortMapper> {
  if (wanted === 'off') return nobody('the port mapper is switched off')
  if (wanted !== 'auto') return openOurs(bind, wanted, hooks)
  try {
    return await openOurs(bind, portmapPort, hooks)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM')
      return nobody(`port ${portmapPort} needs root or CAP_NET_BIND_SERVICE`)
    if (code !== 'EADDRINUSE') return nobody(message)
  }
  return joinRpcbind(mappings)
}

async function openOurs(bind: string, port: number, hooks: TransportHooks): Promise<PortMapper> {
  const tcp = new TcpEar(hooks)
  const bound = await tcp.open(bind, port)
  const udp = new UdpEar(hooks)
  try {
    await udp.open(bind, bound)
  } catch (error) {
    await tcp.close(0)
    throw error
  }
  return {
    state: { type: 'ours', port: bound },
    async stop(graceMs) {
      udp.close()
      await tcp.close(graceMs)
    },
  }
}

async function joinRpcbind(mappings: readonly Mapping[]): Promise<PortMapper> {
  try {
    const result = await register(mappings)
    if (result.type === 'refused') return nobody(result.reason)
    return { state: { type: 'rpcbind' }, stop: () => unregister(mappings) }
  } catch (error) {
    return nobody(`port ${portmapPort} is taken, and not by an rpcbind: ${(error as Error).message}`)
  }
}
