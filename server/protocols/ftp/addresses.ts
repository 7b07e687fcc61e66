import { isIP, isIPv4 } from 'node:net'

export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** An IPv4 client of a socket that listens on `::` shows up as `::ffff:192.0.2.7`. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/** Whether two spellings mean one address: `2001:db8::1` and `2001:0DB8:0::1`. */
export function isSameAddress(a: string, b: string): boolean {
  return isIP(a) !== 0 && isIP(a) === isIP(b) && canonical(a) === canonical(b)
}

/** Short form in lower case, without a zone: the URL parser of Node writes every IPv6 address in one way. */
function canonical(address: string): string {
  return isIPv4(address) ? address : new URL(`http://[${address.replace(/%.*$/, '')}]/`).hostname
}

/** The argument of PORT: `h1,h2,h3,h4,p1,p2`, all decimal (RFC 959 section 5.3.2). */
export function parsePort(argument: string): Endpoint | undefined {
  if (!/^\d{1,3}(,\d{1,3}){5}$/.test(argument)) return undefined
  const numbers = argument.split(',').map(Number)
  if (numbers.some((number) => number > 255)) return undefined
  const [high = 0, low = 0] = numbers.slice(4)
  return { address: numbers.slice(0, 4).join('.'), port: high * 256 + low }
}

/** The reply text of PASV, as a PORT command would have it. */
export function formatPort({ address, port }: Endpoint): string {
  return `${address.replaceAll('.', ',')},${port >> 8},${port & 255}`
}

/** The argument of EPRT: `|1|192.0.2.7|5000|`, with any printable delimiter (RFC 2428 section 2). `family`: no such protocol number. */
export function parseEprt(argument: string): Endpoint | 'family' | undefined {
  const delimiter = argument[0] ?? ''
  if (!/^[\x21-\x7e]$/.test(delimiter)) return undefined
  const [empty, protocol = '', address = '', port = '', end, ...more] = argument.split(delimiter)
  if (empty !== '' || end !== '' || more.length > 0) return undefined
  if (!/^\d+$/.test(protocol) || !/^\d{1,5}$/.test(port) || Number(port) > 65535) return undefined
  if (protocol !== '1' && protocol !== '2') return 'family'
  if (isIP(address) !== (protocol === '1' ? 4 : 6)) return undefined
  return { address, port: Number(port) }
}
