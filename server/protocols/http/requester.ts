import type { IncomingHttpHeaders } from 'node:http'
import { plainAddress } from '../../core/net/address.ts'
import type { Connection, Requester } from '../../core/net/requester.ts'
import { serviceTable } from '../../core/services.ts'

/** The part of a requester that is the same for all requests of one connection. */
export type Peer = Pick<Requester, 'protocol' | 'address' | 'localAddress' | 'connection'>

type ClientSocket = Connection & {
  readonly remoteAddress?: string | undefined
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
}

const grubAgent = /^GRUB /

/** Whether a `User-Agent` is GRUB's, whose `Host` lacks the port: see `hostOf`. */
export const isGrub = (userAgent: string | undefined): boolean =>
  userAgent !== undefined && grubAgent.test(userAgent)

/**
 * The `Host` header. GRUB 2.06 leaves out the port, which belongs there (RFC 9110, 7.2): `Host: 192.0.2.1` for
 * `http://192.0.2.1:8080/`. Where it names the very address that it connected to, nobody stands between, and the port is
 * that of the connection.
 */
export function hostOf(socket: ClientSocket, headers: IncomingHttpHeaders): string | undefined {
  const { host } = headers
  const { localAddress, localPort } = socket
  if (host === undefined || !isGrub(headers['user-agent'])) return host
  const isOurs = host.replace(/^\[(.*)\]$/, '$1') === plainAddress(localAddress ?? '')
  if (!isOurs || localPort === undefined || localPort === serviceTable.http.standardPort) return host
  return `${host}:${localPort}`
}

export function peerOf(socket: ClientSocket): Peer {
  const address = plainAddress(socket.remoteAddress ?? '')
  const local = socket.localAddress
  if (local === undefined) return { protocol: 'http', address, connection: socket }
  return { protocol: 'http', address, localAddress: plainAddress(local), connection: socket }
}

/** The identities found so far in a request. */
interface Identities {
  readonly macs: string[]
  uuid?: string
  serial?: string
  vendor?: string
}

/**
 * The requester of a request, with every identity that the request carries:
 *
 * - `?mac=`, `?uuid=`, `?serial=`, `?vendor=`, as our own boot files write them;
 * - `X-RHN-Provisioning-MAC-<n>: eth0 52:54:00:aa:bb:01` of anaconda and dracut. Any n: Fedora 9 numbers by
 *   device, so the first may be missing and there may be gaps;
 * - `X-System-Serial-Number` of `inst.ks.sendsn`;
 * - the cookies `_Syslinux_BOOTIF=01-52-54-00-..` and `_Syslinux_SYSUUID` of LPXELINUX 6.
 *
 * Values stay as sent: the matcher of guests accepts every spelling. A UUID or serial in the query replaces
 * that of a header, and MACs of the query come first. `host` is that of an absolute-form target.
 */
export function requesterOf(
  peer: Peer,
  headers: IncomingHttpHeaders,
  query: string,
  host?: string,
): Requester {
  const found: Identities = { macs: [] }
  readHeaders(headers, found)
  if (query !== '') readQuery(query, found)
  const requester: { -readonly [Key in keyof Requester]: Requester[Key] } = { ...peer }
  if (headers['user-agent']) requester.agent = headers['user-agent']
  const hostName = host ?? headers.host
  if (hostName) requester.host = hostName
  if (found.macs.length > 0) requester.macs = found.macs
  if (found.uuid !== undefined) requester.uuid = found.uuid
  if (found.serial !== undefined) requester.serial = found.serial
  if (found.vendor !== undefined) requester.vendor = found.vendor
  return requester
}

function readQuery(query: string, found: Identities): void {
  const parameters = new URLSearchParams(query)
  found.macs.unshift(...parameters.getAll('mac').filter((mac) => mac !== ''))
  const [uuid, serial, vendor] = ['uuid', 'serial', 'vendor'].map((key) => parameters.get(key))
  if (uuid) found.uuid = uuid
  if (serial) found.serial = serial
  if (vendor) found.vendor = vendor
}

const macHeader = 'x-rhn-provisioning-mac-'

function readHeaders(headers: IncomingHttpHeaders, found: Identities): void {
  for (const name in headers) {
    const value = headers[name]
    if (typeof value !== 'string') continue
    if (name.startsWith(macHeader)) {
      const mac = value.trim().split(/\s+/).at(-1)
      if (mac) found.macs.push(mac)
    }
    if (name === 'x-system-serial-number' && value.trim() !== '') found.serial = value.trim()
    if (name === 'cookie') readCookies(value, found)
  }
}

function readCookies(text: string, found: Identities): void {
  for (const pair of text.split(';')) {
    const cut = pair.indexOf('=')
    const name = pair.slice(0, cut).trim()
    const value = pair.slice(cut + 1).trim()
    if (cut < 0 || value === '') continue
    if (name === '_Syslinux_BOOTIF') found.macs.push(value)
    if (name === '_Syslinux_SYSUUID') found.uuid = value
  }
}
