import { isIPv4, isIPv6 } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'

export interface LocalAddress {
  /** As `bind` takes it: link-local IPv6 addresses carry their zone, `fe80::1%eth0`. */
  readonly address: string
  readonly family: 4 | 6
}

type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>

/**
 * The addresses to listen on for a configured `bind`. Node cannot tell to which address a datagram was sent
 * (no IP_PKTINFO), and a client drops an answer from any other. So a wildcard becomes one socket per address of the
 * machine: `0.0.0.0` its IPv4 addresses, `::` all of them.
 */
export function listenAddresses(bind: string, interfaces: Interfaces): LocalAddress[] {
  if (bind !== '0.0.0.0' && bind !== '::') return [{ address: bind, family: familyOf(bind) }]
  const found = new Map<string, LocalAddress>()
  for (const [name, infos] of Object.entries(interfaces)) {
    for (const info of infos ?? []) {
      const family = isIPv4(info.address) ? 4 : 6
      if (family === 6 && bind !== '::') continue
      const zoned = family === 6 && /^fe[89ab]/i.test(info.address)
      const address = zoned ? `${info.address}%${name}` : info.address
      found.set(address, { address, family })
    }
  }
  return [...found.values()]
}

export function isWildcard(bind: string): boolean {
  return bind === '0.0.0.0' || bind === '::'
}

export function familyOf(address: string): 4 | 6 {
  return isIPv6(address.replace(/%.*$/, '')) ? 6 : 4
}
