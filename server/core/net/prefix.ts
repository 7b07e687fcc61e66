import ipaddr from 'ipaddr.js'
import { canonicalIp } from './address.ts'

/**
 * What one person has of the Internet: an IPv4 address, or a network of IPv6 addresses. A host takes any address of its
 * /64 (RFC 4291 section 2.5.1, RFC 8981), and a site has a /48 to a /64 (RFC 6177).
 *
 * @param bits Of IPv6.
 * @returns Text that is no address as it is, so that it can be a key, too.
 */
export function addressPrefix(address: string, bits: 48 | 64): string {
  const plain = canonicalIp(address)
  if (!plain?.includes(':')) return plain ?? address.slice(0, 64)
  const network = ipaddr.IPv6.networkAddressFromCIDR(`${plain}/${bits}`)
  return `${network.toRFC5952String()}/${bits}`
}
