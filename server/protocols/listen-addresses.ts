import { isIPv4, isIPv6 } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import { isLinkLocal } from '../core/net/address.ts'

/** An address of this machine, to bind a socket to. */
export interface LocalAddress {
  /** As `bind` takes it: link-local IPv6 addresses carry their zone, `fe80::1%eth0`. */
  readonly address: string
  readonly family: 4 | 6
}

type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>

/**
 * The addresses to listen on for a configured `bind`. Node cannot tell to which address a datagram was sent
 * (no IP_PKTINFO), and a client drops a reply from another address. So a wildcard becomes one socket for each
 * address of the machine: `0.0.0.0` means its IPv4 addresses, `::` all its addresses.
 */
export function listenAddresses(bind: string, interfaces: Interfaces): LocalAddress[] {
  if (!isWildcard(bind)) return [{ address: bind, family: familyOf(bind) }]
  const all = Object.entries(interfaces).flatMap(([name, infos = []]) =>
    infos.map((info) => localAddress(name, info.address)),
  )
  const wanted = bind === '::' ? all : all.filter(({ family }) => family === 4)
  // Two interfaces may have the same address, which can be bound once only.
  return [...new Map(wanted.map((each) => [each.address, each])).values()]
}

/**
 * Adds the zone to a link-local address (fe80::/10, RFC 4291 section 2.5.6), which is valid on one interface
 * only.
 */
function localAddress(interfaceName: string, address: string): LocalAddress {
  if (isIPv4(address)) return { address, family: 4 }
  return { address: isLinkLocal(address) ? `${address}%${interfaceName}` : address, family: 6 }
}

/** Whether `bind` stands for several addresses, which `listenAddresses` finds. */
export function isWildcard(bind: string): boolean {
  return bind === '0.0.0.0' || bind === '::'
}

export function familyOf(address: string): 4 | 6 {
  return isIPv6(address.replace(/%.*$/, '')) ? 6 : 4
}
