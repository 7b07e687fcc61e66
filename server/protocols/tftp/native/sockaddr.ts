import type { NetworkInterfaceInfo } from 'node:os'
import ipaddr from 'ipaddr.js'

/** Octets of a `struct sockaddr_in6`. A `struct sockaddr_in` has 16. */
export const sockaddrBytes = 28

export function sockaddrLength(family: 4 | 6): number {
  return family === 6 ? sockaddrBytes : 16
}

const AF_INET = 2
const AF_INET6 = 10

/**
 * An address and a port as Linux's `struct sockaddr_in` or `sockaddr_in6` on a little-endian machine. A zone
 * (`%eth0`) is looked up among `interfaces`.
 *
 * In both, the family is at octet 0 and the port at 2. An IPv4 address is at 4. IPv6 has the flow label there,
 * its address at 8, and the index of the zone at 24.
 *
 * @throws RangeError when the text is not an address of `family`.
 */
export function toSockaddr(
  address: string,
  port: number,
  family: 4 | 6,
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = {},
): Uint8Array {
  const bytes = Buffer.alloc(sockaddrLength(family))
  bytes.writeUInt16LE(family === 6 ? AF_INET6 : AF_INET, 0)
  bytes.writeUInt16BE(port, 2)
  if (family === 4) {
    if (!ipaddr.IPv4.isValidFourPartDecimal(address)) throw new RangeError(`not an IPv4 address: ${address}`)
    bytes.set(ipaddr.IPv4.parse(address).toByteArray(), 4)
    return bytes
  }
  const [plain = '', zone = ''] = address.split('%')
  if (!ipaddr.IPv6.isValid(plain)) throw new RangeError(`not an IPv6 address: ${address}`)
  bytes.set(ipaddr.IPv6.parse(plain).toByteArray(), 8)
  bytes.writeUInt32LE(zoneIndex(zone, interfaces), 24)
  return bytes
}

function zoneIndex(zone: string, interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): number {
  if (zone === '') return 0
  if (/^\d+$/.test(zone)) return Number(zone)
  for (const info of interfaces[zone] ?? [])
    if (info.family === 'IPv6' && info.scopeid > 0) return info.scopeid
  return 0
}
