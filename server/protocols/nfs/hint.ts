import type { PortMapperState } from './port-mapper.ts'
import { portmapPort } from './portmap.ts'

/**
 * One line that can be typed: how a client mounts us, with explicit ports unless it will find them by itself, and why
 * it will not. `nolock`: there is no lock manager here, and nothing to lock.
 */
export function mountHint(host: string, port: number, mapper: PortMapperState): string {
  const name = host === '0.0.0.0' || host === '::' ? 'HOST' : host.includes(':') ? `[${host}]` : host
  const found = mapper.type === 'rpcbind' || (mapper.type === 'ours' && mapper.port === portmapPort)
  const options = found
    ? 'nfsvers=3,nolock'
    : `nfsvers=3,port=${port},mountport=${port},proto=tcp,mountproto=tcp,nolock`
  const why = mapper.type === 'none' ? ` (${mapper.reason})` : ''
  return `mount -t nfs -o ${options} ${name}:/trees /mnt${why}`
}
