import { isIPv4, isIPv6 } from 'node:net'
import { asText, type Data, type Filter } from './filter.ts'

interface Address {
  readonly value: bigint
  /** 32 or 128. */
  readonly bits: number
  /** Undefined when only an address was written. */
  readonly prefix: number | undefined
}

/** `10.0.0.7`, `10.0.0.7/24`, `10.0.0.7/255.255.255.0`, `fd00::7/64`. */
function parseAddress(text: string): Address | undefined {
  const [host = '', mask, ...rest] = text.trim().split('/')
  const bits = isIPv4(host) ? 32 : isIPv6(host) && !host.includes('%') ? 128 : 0
  if (bits === 0 || rest.length > 0) return undefined
  const prefix = mask === undefined ? undefined : parsePrefix(mask, bits)
  if (mask !== undefined && prefix === undefined) return undefined
  return { value: bits === 32 ? fromIPv4(host) : fromIPv6(host), bits, prefix }
}

function parsePrefix(mask: string, bits: number): number | undefined {
  if (/^\d{1,3}$/.test(mask)) return Number(mask) <= bits ? Number(mask) : undefined
  if (bits !== 32 || !isIPv4(mask)) return undefined
  const ones = fromIPv4(mask).toString(2).padStart(32, '0')
  return /^1*0*$/.test(ones) ? ones.lastIndexOf('1') + 1 : undefined
}

function fromIPv4(text: string): bigint {
  return text.split('.').reduce((value, part) => value * 256n + BigInt(part), 0n)
}

function fromIPv6(text: string): bigint {
  // The last 32 bits may be written as IPv4: `::ffff:10.0.0.1`.
  const plain = text.replace(/[\d.]+$/, (tail) =>
    isIPv4(tail)
      ? `${(fromIPv4(tail) >> 16n).toString(16)}:${(fromIPv4(tail) & 0xffffn).toString(16)}`
      : tail,
  )
  const [head = '', tail] = plain.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0')
  return [...left, ...zeros, ...right].reduce((value, part) => value * 65536n + BigInt(`0x${part}`), 0n)
}

/** IPv6 as RFC 5952 section 4 writes it. */
function writeAddress(value: bigint, bits: number): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16))
  const plain = groups.join(':')
  const zeros = [...plain.matchAll(/(?<![0-9a-f])0(?::0)+(?![0-9a-f])/g)]
  const longest = zeros.toSorted((a, b) => b[0].length - a[0].length)[0]
  if (!longest) return plain
  const end = longest.index + longest[0].length
  return `${plain.slice(0, longest.index).replace(/:$/, '')}::${plain.slice(end).replace(/^:/, '')}`
}

/** The useful part of Ansible's `ipaddr`. False for what is no address, as there. */
function ipaddr(text: string, query: string): Data {
  const address = parseAddress(text)
  if (!address) return false
  const { value, bits } = address
  const prefix = address.prefix ?? bits
  const hostBits = BigInt(bits - prefix)
  const network = (value >> hostBits) << hostBits
  const last = network + (1n << hostBits) - 1n
  const write = (each: bigint): string => writeAddress(each, bits)
  switch (query) {
    case '':
      return text
    case 'address':
    case 'host':
      return write(value)
    case 'prefix':
      return prefix
    case 'network':
      return write(network)
    case 'netmask':
      return write(((1n << BigInt(bits)) - 1n) ^ (last - network))
    case 'hostmask':
    case 'wildcard':
      return write(last - network)
    case 'broadcast':
      return write(last)
    case 'network/prefix':
    case 'subnet':
      return `${write(network)}/${prefix}`
    case 'host/prefix':
    case 'address/prefix':
      return `${write(value)}/${prefix}`
    case 'version':
      return bits === 32 ? 4 : 6
    default:
      throw new Error(
        `unknown question '${query}': address, prefix, netmask, network, network/prefix, broadcast, wildcard, version`,
      )
  }
}

const ofVersion = (version: number): Filter => ({
  run(call) {
    const text = asText(call.value)
    return ipaddr(text, 'version') === version && ipaddr(text, asText(call.args[0] ?? ''))
  },
})

/** A hardware address in the notation of `linux` (colons), `unix`, `cisco`, `bare`, `win` or `pxe` (`01-` and dashes). */
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
      throw new Error(`unknown notation '${style}': linux, unix, win, pxe, cisco, bare`)
  }
}

export const netFilters: Readonly<Record<string, Filter>> = {
  ipaddr: { run: (call) => ipaddr(asText(call.value), asText(call.args[0] ?? '')) },
  ipv4: ofVersion(4),
  ipv6: ofVersion(6),
  hwaddr: { run: (call) => hwaddr(asText(call.value), asText(call.args[0] ?? 'linux')) },
}
