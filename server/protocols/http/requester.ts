import type { IncomingHttpHeaders } from 'node:http'
import { plainAddress } from '../../core/net/address.ts'
import type { Connection, Requester } from '../../core/net/requester.ts'

/** What a connection tells about its client, the same for all its requests. */
export interface Peer {
  readonly protocol: 'http'
  readonly address: string
  readonly localAddress?: string
  readonly connection?: Connection
}

export function peerOf(
  socket: Connection & {
    readonly remoteAddress?: string | undefined
    readonly localAddress?: string | undefined
  },
): Peer {
  const address = plainAddress(socket.remoteAddress ?? '')
  const local = socket.localAddress
  return {
    protocol: 'http',
    address,
    ...(local !== undefined && { localAddress: plainAddress(local) }),
    connection: socket,
  }
}

/**
 * Who asks, with every identity that the request carries:
 *
 * - `?mac=`, `?uuid=`, `?serial=`, as our own boot files write them;
 * - `X-RHN-Provisioning-MAC-<n>: eth0 52:54:00:aa:bb:01` of anaconda and dracut. Any n: Fedora 9 numbers by device,
 *   so the first may be missing and there may be gaps;
 * - `X-System-Serial-Number` of `inst.ks.sendsn`;
 * - the cookies `_Syslinux_BOOTIF=01-52-54-00-..` and `_Syslinux_SYSUUID` of LPXELINUX 6.
 *
 * Values stay as sent; the matcher knows their spellings.
 */
export function requesterOf(
  peer: Peer,
  headers: IncomingHttpHeaders,
  query: string,
  host?: string,
): Requester {
  const known = new Map<string, string>()
  const macs: string[] = []
  for (const name in headers) {
    const value = headers[name]
    if (typeof value !== 'string') continue
    if (name.startsWith(macHeader)) {
      const mac = value.trim().split(/\s+/).at(-1)
      if (mac) macs.push(mac)
    } else if (name === 'x-system-serial-number' && value.trim() !== '') known.set('serial', value.trim())
    else if (name === 'cookie') readCookies(value, macs, known)
  }
  if (query !== '') {
    const parameters = new URLSearchParams(query)
    macs.unshift(...parameters.getAll('mac').filter((mac) => mac !== ''))
    for (const name of ['uuid', 'serial']) {
      const value = parameters.get(name)
      if (value) known.set(name, value)
    }
  }
  const named = host ?? headers.host
  const uuid = known.get('uuid')
  const serial = known.get('serial')
  return {
    ...peer,
    ...(named ? { host: named } : {}),
    ...(macs.length > 0 ? { macs } : {}),
    ...(uuid ? { uuid } : {}),
    ...(serial ? { serial } : {}),
  }
}

const macHeader = 'x-rhn-provisioning-mac-'

function readCookies(text: string, macs: string[], known: Map<string, string>): void {
  for (const pair of text.split(';')) {
    const cut = pair.indexOf('=')
    const name = pair.slice(0, cut).trim()
    const value = pair.slice(cut + 1).trim()
    if (cut < 0 || value === '') continue
    if (name === '_Syslinux_BOOTIF') macs.push(value)
    else if (name === '_Syslinux_SYSUUID') known.set('uuid', value)
  }
}
