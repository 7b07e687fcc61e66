import type { NetworkInterfaceInfo } from 'node:os'

/** Octets of a `struct sockaddr_in6`; a `sockaddr_in` takes the first 16 of them. */
export const sockaddrBytes = 28

/**
 * An address as Linux's `struct sockaddr_in` or `sockaddr_in6`, little-endian machine. A zone (`%eth0`) is looked up
 * among `interfaces`.
 * @throws RangeError when the text is no address of that family.
 */
export function toSockaddr(
  address: string,
  port: number,
  family: 4 | 6,
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = {},
): Uint8Array {
  const bytes = Buffer.alloc(family === 6 ? sockaddrBytes : 16)
  bytes.writeUInt16LE(family === 6 ? 10 : 2, 0)
  bytes.writeUInt16BE(port, 2)
  if (family === 4) {
    const parts = address.split('.').map(Number)
    if (parts.length !== 4 || parts.some((part) => !(part >= 0 && part <= 255)))
      throw new RangeError(`not an IPv4 address: ${address}`)
    bytes.set(parts, 4)
    return bytes
  }
  const [plain = '', zone = ''] = address.split('%')
  bytes.set(ipv6Octets(plain), 8)
  bytes.writeUInt32LE(zoneIndex(zone, interfaces), 24)
  return bytes
}

function ipv6Octets(address: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const text = dotted
    ? `${dotted[1]}${hexPair(dotted[2], dotted[3])}:${hexPair(dotted[4], dotted[5])}`
    : address
  const [front = '', back, ...more] = text.split('::')
  const head = words(front)
  const tail = back === undefined ? [] : words(back)
  const gap = 8 - head.length - tail.length
  if (more.length > 0 || (back === undefined ? gap !== 0 : gap < 1))
    throw new RangeError(`not an IPv6 address: ${address}`)
  return [...head, ...new Array<number>(gap).fill(0), ...tail].flatMap((word) => [word >> 8, word & 0xff])
}

function words(text: string): number[] {
  if (text === '') return []
  return text.split(':').map((word) => {
    if (!/^[0-9a-f]{1,4}$/i.test(word)) throw new RangeError(`not a part of an IPv6 address: ${word}`)
    return Number.parseInt(word, 16)
  })
}

function hexPair(high: string | undefined, low: string | undefined): string {
  return ((Number(high) << 8) | Number(low)).toString(16)
}

function zoneIndex(zone: string, interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): number {
  if (zone === '') return 0
  if (/^\d+$/.test(zone)) return Number(zone)
  for (const info of interfaces[zone] ?? [])
    if (info.family === 'IPv6' && info.scopeid > 0) return info.scopeid
  return 0
}
