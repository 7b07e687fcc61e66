import ipaddr from 'ipaddr.js'
import { canonicalIp } from './address.ts'

/**
 * How far an address reaches. `private`: a network of one's own (RFC 1918, RFC 6598, RFC 4193). `local`: this machine, its
 * link, and what is no address of a server, such as multicast. Cloud metadata services are link-local.
 */
export type Reach = 'public' | 'private' | 'local'

/** The reach of an address in any spelling; `local` for text that is none. IPv6 that holds an IPv4 address reaches as that. */
export function reachOf(address: string): Reach {
  const plain = canonicalIp(address)
  if (plain === undefined) return 'local'
  const parsed = ipaddr.parse(plain)
  if (parsed instanceof ipaddr.IPv4) return reachOfIpv4(parsed)
  const inner = embeddedIpv4(parsed.toByteArray())
  if (inner) return reachOfIpv4(inner)
  if (parsed.range() === 'uniqueLocal') return 'private'
  // Only 2000::/3 is given out (RFC 4291, 2.4; IANA's registry). In it Teredo and others carry what we cannot see.
  const isGlobal = ((parsed.toByteArray()[0] ?? 0) & 0xe0) === 0x20
  return isGlobal && parsed.range() === 'unicast' ? 'public' : 'local'
}

function reachOfIpv4(address: ipaddr.IPv4): Reach {
  const range = address.range()
  if (range === 'private' || range === 'carrierGradeNat') return 'private'
  return range === 'unicast' ? 'public' : 'local'
}

/** NAT64's well-known prefix 64:ff9b::/96 (RFC 6052) has it at its end, 6to4's 2002::/16 (RFC 3056) behind the prefix. */
function embeddedIpv4(bytes: readonly number[]): ipaddr.IPv4 | undefined {
  const nat64 = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]
  if (nat64.every((byte, at) => bytes[at] === byte)) return new ipaddr.IPv4(bytes.slice(12))
  return bytes[0] === 0x20 && bytes[1] === 0x02 ? new ipaddr.IPv4(bytes.slice(2, 6)) : undefined
}
