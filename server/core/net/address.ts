import ipaddr from 'ipaddr.js'
import { requestLimits } from '../limits/requests.ts'

/** IP addresses in one spelling: from the text that a client sent to the canonical form, or undefined. */

/** Longer than every valid spelling. Longer text is refused without parsing. */
const maxLength = requestLimits.identity.bytes

/**
 * The canonical spelling of an IP address, or undefined: IPv4 dotted, IPv6 as in RFC 5952. `::ffff:10.0.0.7`,
 * which a socket listening on `::` reports for an IPv4 client, is `10.0.0.7`. A zone (`%eth0`) is dropped.
 * Octets with leading zeros are refused: some programs read them as octal.
 */
export function canonicalIp(text: string): string | undefined {
  if (text.length > maxLength) return undefined
  const plain = text
    .trim()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/%[\w.-]+$/, '')
  if (ipaddr.IPv4.isValidFourPartDecimal(plain)) return plain
  if (!plain.includes(':') || !ipaddr.IPv6.isValid(plain)) return undefined
  const address = ipaddr.IPv6.parse(plain)
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String()
}

/**
 * A socket's address as all other code writes it: without the zone, and IPv4 as IPv4. A socket on `::` calls
 * 192.0.2.7 `::ffff:192.0.2.7`. Cheap enough for every packet, because nothing is parsed.
 */
export function plainAddress(address: string): string {
  return addressWithZone(address).replace(/%.*$/, '')
}

/**
 * Like `plainAddress`, but with the zone: without `%eth0`, this machine can neither bind a link-local address
 * nor connect to it.
 */
export function addressWithZone(address: string): string {
  if (!address.includes(':')) return address
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+(?:%|$))/i, '')
}

/** Whether two spellings mean one address: `2001:db8::1` and `2001:0DB8:0::1`. Zones are not compared. */
export function isSameIp(a: string, b: string): boolean {
  const plain = canonicalIp(a)
  return plain !== undefined && plain === canonicalIp(b)
}

/** Whether an address is an IPv6 link-local one (fe80::/10, RFC 4291 section 2.5.6), valid on one link only. */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab][\da-f]:/i.test(address)
}

/** Whether an address is a loopback address: 127.0.0.0/8 or `::1`. */
export function isLoopback(address: string): boolean {
  const plain = plainAddress(address)
  return plain === '::1' || plain.startsWith('127.')
}

/**
 * `10.99.0.58` as PXELINUX, GRUB and U-Boot spell it in file names: `0A63003A`. Undefined for anything but
 * IPv4.
 */
export function ipv4Hex(ip: string): string | undefined {
  const plain = canonicalIp(ip)
  if (plain === undefined || plain.includes(':')) return undefined
  return plain
    .split('.')
    .map((octet) => Number(octet).toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()
}

/** `0A63003A` as `10.99.0.58`; undefined unless it is exactly eight hex digits. */
export function ipv4FromHex(hex: string): string | undefined {
  if (!/^[0-9a-f]{8}$/i.test(hex)) return undefined
  return (hex.match(/../g) ?? []).map((octet) => Number.parseInt(octet, 16)).join('.')
}

/** Whether an address lies in the network that a shortened name such as `0A63` stands for. */
export function ipv4HexCovers(prefix: string, ip: string): boolean {
  return prefix !== '' && (ipv4Hex(ip)?.startsWith(prefix.toUpperCase()) ?? false)
}

/** An address as it stands before a port: IPv6 in brackets. */
export function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

/** Where a service listens, for people: `*:8080`, as ss(8) prints a socket on `::` that IPv4 clients reach, too. */
export function listenText(address: string, port: number): string {
  return `${address === '::' ? '*' : bracketed(address)}:${port}`
}
