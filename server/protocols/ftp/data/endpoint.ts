/** Where a data connection goes, as PORT and PASV (RFC 959), EPRT and EPSV (RFC 2428) write it. */

import { isIP } from 'node:net'

export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** Parses the argument of PORT: `h1,h2,h3,h4,p1,p2`, all decimal (RFC 959 section 5.3.2). */
export function parsePort(argument: string): Endpoint | undefined {
  if (!/^\d{1,3}(,\d{1,3}){5}$/.test(argument)) return undefined
  const numbers = argument.split(',').map(Number)
  if (numbers.some((number) => number > 255)) return undefined
  const [high = 0, low = 0] = numbers.slice(4)
  return { address: numbers.slice(0, 4).join('.'), port: high * 256 + low }
}

/** The six numbers in the reply to PASV, in the form that PORT takes. */
export function formatPort({ address, port }: Endpoint): string {
  return `${address.replaceAll('.', ',')},${port >> 8},${port & 255}`
}

/**
 * Parses the argument of EPRT: `|1|192.0.2.7|5000|`, with any printable delimiter (RFC 2428 section 2). The
 * result is `family` when the protocol number is neither 1 (IPv4) nor 2 (IPv6).
 */
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
