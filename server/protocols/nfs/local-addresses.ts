import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

/**
 * The addresses that a wildcard stands for now. Node cannot tell to which of our addresses a datagram was sent, and
 * clients drop an answer from another one, so UDP listens on each by itself.
 */
export function addressesOf(bind: string): string[] {
  if (bind !== '0.0.0.0' && bind !== '::') return [bind]
  const found = new Set<string>()
  for (const [name, infos] of Object.entries(networkInterfaces()))
    for (const { address } of infos ?? []) {
      if (!isIPv6(address)) found.add(address)
      else if (bind === '::') found.add(/^fe[89ab]/i.test(address) ? `${address}%${name}` : address)
    }
  return [...found]
}

/** Without a zone, and IPv4 as IPv4: `::ffff:192.0.2.7` is what a socket on `::` calls 192.0.2.7. */
export function plainAddress(address: string): string {
  return address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
}
