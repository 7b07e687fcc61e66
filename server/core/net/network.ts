import ipaddr from 'ipaddr.js'
import { canonicalIp } from './address.ts'

/** An IP network in its canonical spelling, such as `10.0.0.0/8`. A single address is one, too. */
export type Network = string

/** The canonical spelling of `10.0.0.0/8`, `fd00::/8` or a single address; undefined for any other text. */
export function canonicalNetwork(text: string): Network | undefined {
  const address = canonicalIp(text)
  if (address !== undefined) return address
  const [base = '', bits = '', ...more] = text.trim().split('/')
  const plain = canonicalIp(base)
  if (plain === undefined || !/^\d{1,3}$/.test(bits) || more.length > 0) return undefined
  const longest = plain.includes(':') ? 128 : 32
  return Number(bits) <= longest ? `${plain}/${Number(bits)}` : undefined
}

/** Whether an address is in one of the networks. An address that is none is in no network. */
export function isInNetworks(address: string, networks: readonly Network[]): boolean {
  const plain = networks.length === 0 ? undefined : canonicalIp(address)
  if (plain === undefined) return false
  const parsed = ipaddr.parse(plain)
  return networks.some((network) => {
    if (!network.includes('/')) return network === plain
    const [base, bits] = ipaddr.parseCIDR(network)
    return base.kind() === parsed.kind() && parsed.match(base, bits)
  })
}
