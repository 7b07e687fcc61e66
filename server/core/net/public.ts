import ipaddr from 'ipaddr.js'
import { canonicalIp } from './address.ts'

/** IPv4 addresses inside of IPv6 ones, behind a translator (RFC 6052, 2.1). */
const translated = '64:ff9b::/96'

/**
 * Whether an address is one of the Internet. Not so are loopback, private and link-local addresses, those of networks that
 * are reserved (RFC 6890), and text that is no address.
 */
export function isPublicAddress(text: string): boolean {
  const plain = canonicalIp(text)
  if (plain === undefined) return false
  const address = ipaddr.parse(plain)
  if (address instanceof ipaddr.IPv6 && address.match(ipaddr.IPv6.parseCIDR(translated))) {
    const octets = address.toByteArray().slice(12)
    return isPublicAddress(octets.join('.'))
  }
  return address.range() === 'unicast'
}
