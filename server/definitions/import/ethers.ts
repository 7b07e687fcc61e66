import { canonicalIp } from '../../core/net/address.ts'
import { Entries, type FoundEntry, macOf, numberedLines, whyNoCard } from './entries.ts'

/**
 * `/etc/ethers`, ethers(5): on each line the address of a card and a host name, or in its place an IP address, as
 * dnsmasq's `--read-ethers` takes it. What follows `#` is a comment.
 */
export function parseEthers(text: string): readonly FoundEntry[] {
  const entries = new Entries()
  for (const { line, text: whole } of numberedLines(text)) {
    const words = whole.replace(/#.*/, '').trim().split(/\s+/)
    const [address = '', name] = words
    if (address === '') continue
    const mac = macOf(address)
    if (mac === undefined) entries.faulty(line, name, whyNoCard(address))
    else if (name === undefined || words.length > 2)
      entries.faulty(line, name ?? mac, 'expected a MAC address and one name or address')
    else {
      const ip = canonicalIp(name)
      entries.found(line, {
        macs: [mac],
        notes: [],
        ...(ip === undefined ? { ips: [], name } : { ips: [ip] }),
      })
    }
  }
  return entries.all
}
