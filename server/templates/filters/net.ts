import { isIPv4, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { asText, type Data, type Filter } from './filter.ts'

interface AddressText {
  readonly address: ipaddr.IPv4 | ipaddr.IPv6
  /** Undefined when only an address was written. */
  readonly prefix: number | undefined
}

/**
 * Parses `10.0.0.7`, `10.0.0.7/24`, `10.0.0.7/255.255.255.0` and `fd00::7/64`. Node decides what an address
 * is, because ipaddr.js also takes `10.7` and octal numbers.
 */
function parseAddress(text: string): AddressText | undefined {
  const [host = '', mask, ...rest] = text.trim().split('/')
  const isAddress = isIPv4(host) || (isIPv6(host) && !host.includes('%'))
  if (!isAddress || rest.length > 0) return undefined
  const address = ipaddr.parse(host)
  if (mask === undefined) return { address, prefix: undefined }
  const prefix = parsePrefix(mask, address)
  return prefix === undefined ? undefined : { address, prefix }
}

function parsePrefix(mask: string, address: AddressText['address']): number | undefined {
  const bits = bitsOf(address)
  if (/^\d{1,3}$/.test(mask)) return Number(mask) <= bits ? Number(mask) : undefined
  if (bits !== 32 || !isIPv4(mask)) return undefined
  return ipaddr.IPv4.parse(mask).prefixLengthFromSubnetMask() ?? undefined
}

function bitsOf(address: AddressText['address']): 32 | 128 {
  return address.kind() === 'ipv4' ? 32 : 128
}

/** Writes IPv6 as RFC 5952 section 4 does. */
function writeAddress(bytes: number[]): string {
  const address = ipaddr.fromByteArray(bytes)
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString()
}

/** The byte at an index of the netmask of a prefix. */
function maskByte(prefix: number, index: number): number {
  const ones = Math.min(8, Math.max(0, prefix - 8 * index))
  return 256 - 2 ** (8 - ones)
}

/**
 * The useful part of Ansible's `ipaddr`. As in Ansible, the result is false if the text is not an address.
 */
function ipaddrFilter(text: string, query: string): Data {
  const parsed = parseAddress(text)
  if (!parsed) return false
  const bits = bitsOf(parsed.address)
  const prefix = parsed.prefix ?? bits
  const host = parsed.address.toByteArray()
  const netmask = host.map((_, index) => maskByte(prefix, index))
  const hostmask = netmask.map((byte) => 255 - byte)
  const network = host.map((byte, index) => byte & (netmask[index] ?? 0))
  switch (query) {
    case '':
      return text
    case 'address':
    case 'host':
      return writeAddress(host)
    case 'prefix':
      return prefix
    case 'network':
      return writeAddress(network)
    case 'netmask':
      return writeAddress(netmask)
    case 'hostmask':
    case 'wildcard':
      return writeAddress(hostmask)
    case 'broadcast':
      return writeAddress(network.map((byte, index) => byte | (hostmask[index] ?? 0)))
    case 'network/prefix':
    case 'subnet':
      return `${writeAddress(network)}/${prefix}`
    case 'host/prefix':
    case 'address/prefix':
      return `${writeAddress(host)}/${prefix}`
    case 'version':
      return bits === 32 ? 4 : 6
    default:
      throw new Error(
        `unknown query '${query}', expected address, prefix, netmask, network, network/prefix, broadcast, wildcard or version`,
      )
  }
}

const ofVersion = (version: number): Filter => ({
  params: ['query'],
  run(call) {
    const text = asText(call.value)
    return ipaddrFilter(text, 'version') === version && ipaddrFilter(text, asText(call.args[0] ?? ''))
  },
})

/**
 * Writes a hardware address in the notation of `linux` (colons), `unix`, `cisco`, `bare`, `win` or `pxe`
 * (`01-` and dashes).
 */
function hwaddr(text: string, style: string): string {
  const hex = text.toLowerCase().replaceAll(/[^0-9a-f]/g, '')
  if (hex.length !== 12)
    throw new Error(`expected a hardware address of 6 bytes, found ${JSON.stringify(text)}`)
  const pairs = hex.match(/../g) ?? []
  switch (style) {
    case 'linux':
    case 'unix':
      return pairs.join(':')
    case 'win':
      return pairs.join('-').toUpperCase()
    case 'pxe':
      return `01-${pairs.join('-')}`
    case 'cisco':
      return (hex.match(/..../g) ?? []).join('.')
    case 'bare':
      return hex
    default:
      throw new Error(`unknown notation '${style}', expected linux, unix, win, pxe, cisco or bare`)
  }
}

export const netFilters: Readonly<Record<string, Filter>> = {
  ipaddr: { params: ['query'], run: (call) => ipaddrFilter(asText(call.value), asText(call.args[0] ?? '')) },
  ipv4: ofVersion(4),
  ipv6: ofVersion(6),
  hwaddr: { params: ['query'], run: (call) => hwaddr(asText(call.value), asText(call.args[0] ?? 'linux')) },
}
