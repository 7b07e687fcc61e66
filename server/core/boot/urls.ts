import { defined } from '../defined.ts'
import { bracketed, canonicalIp, isLinkLocal, plainAddress } from '../net/address.ts'
import { type ServiceName, serviceTable } from '../services.ts'
import type { ServerUrls } from './plan.ts'

/** A service that is open, and the port it really listens on. */
export interface OpenService {
  readonly port: number
  /**
   * NFS: the port of its MOUNT service. When absent, clients ask rpcbind for it; but if NFS has another port
   * than 2049, MOUNT is taken to have the same.
   */
  readonly mountPort?: number
  /** NFS: why a client that asks the port mapper (port 111) does not find us there; absent when it does. */
  readonly whyUnmapped?: string
}

export type OpenServices = { readonly [Name in ServiceName]?: OpenService }

/**
 * The open services, from their ports. MOUNT has the port of NFS. Mount options always name it, because the
 * rpcbind of this machine may belong to another NFS server or be missing.
 */
export function openServices(
  ports: Iterable<readonly [name: ServiceName, port: number, whyUnmapped?: string | undefined]>,
): OpenServices {
  const open: { -readonly [Name in ServiceName]?: OpenService } = {}
  for (const [name, port, whyUnmapped] of ports)
    open[name] = name === 'nfs' ? { port, mountPort: port, ...defined({ whyUnmapped }) } : { port }
  return open
}

/** What a request tells about how its sender reached us. */
export interface ReachedBy {
  readonly protocol: string
  /** The `Host` header, as sent: not to be trusted. */
  readonly host?: string
  /** Our address that its connection or packet came to. */
  readonly localAddress?: string
  /** Nobody has reached us: `localAddress` is one of several. */
  readonly isGuess?: true
}

export interface UrlInputs {
  /** `server.url` of config.yaml. */
  readonly configuredUrl?: string
  readonly services: OpenServices
  readonly who: ReachedBy
}

/**
 * How this client reaches us, by every service that is open. The host is that of the operator's `server.url`;
 * else the `Host` of an HTTP request with its port, since it just worked; else our address that the client
 * reached. A `Host` that is not a valid host is ignored, because the client's text would end up in boot
 * files.
 */
export function serverUrls({ configuredUrl, services, who }: UrlInputs): ServerUrls {
  const configured = configuredUrl === undefined ? undefined : parseBase(configuredUrl)
  const called = who.host === undefined || configured ? undefined : parseAuthority(who.host)
  const host = configured?.host ?? called?.host ?? hostOf(who.localAddress)
  const http =
    configured?.base ??
    (called ? `http://${called.authority}` : `http://${withPort(host, services.http?.port, 'http')}`)
  return {
    http,
    ...(services.tftp && { tftp: `tftp://${withPort(host, services.tftp.port, 'tftp')}` }),
    ...(services.ftp && { ftp: `ftp://${withPort(host, services.ftp.port, 'ftp')}` }),
    ...(services.nfs && { nfs: nfsUrls(services.nfs, host, who) }),
    // Behind `server.url` there may be another server that passes requests on.
    ...(!services.http && !configured && { whyNoHttp: 'the http service is closed' }),
    ...(who.isGuess && !configured && !called && { isGuess: who.isGuess }),
    ...(reachedByIpv6(host, configured ? undefined : who.localAddress) && { byIpv6: true }),
  }
}

/** A host that is an address has the family. Of a name, the address that the request came to tells it. */
function reachedByIpv6(host: string, localAddress: string | undefined): boolean {
  return (canonicalIp(host) ?? canonicalIp(localAddress ?? ''))?.includes(':') ?? false
}

function nfsUrls(
  nfs: OpenService,
  host: string,
  { localAddress }: ReachedBy,
): NonNullable<ServerUrls['nfs']> {
  const ipv4 = [host, localAddress ?? ''].map(canonicalIp).find((address) => address?.includes('.'))
  return { host, options: nfsOptions(nfs), ...defined({ ipv4, whyUnmapped: nfs.whyUnmapped }) }
}

/** The URL below which loaders and commands fetch kernels: that of TFTP while HTTP is closed. */
export function fileBase({ http, tftp, whyNoHttp }: ServerUrls): string {
  return whyNoHttp !== undefined && tftp !== undefined ? tftp : http
}

/**
 * The URL of a namespace path below a base URL. Each component is percent-encoded, `,` and `=` too, because
 * virt-install splits at them.
 */
export function urlOfPath(base: string, place: string): string {
  if (/^[\w/.~-]*$/.test(place)) return base + place
  const encoded = place
    .split('/')
    .map((part) => encodeURIComponent(part).replace(/[!'()*]/g, percent))
    .join('/')
  return `${base}${encoded}`
}

function percent(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

function parseBase(url: string): { base: string; host: string } | undefined {
  if (!URL.canParse(url)) return undefined
  const parsed = new URL(url)
  if (parsed.hostname === '') return undefined
  return { base: url.replace(/\/+$/, ''), host: parsed.hostname }
}

/**
 * A `Host` header: a name or an address, IPv6 in brackets, maybe a port (RFC 9110, 7.2). The longest DNS name
 * has 253 characters, the longest IPv6 address 45.
 */
const authorityForm = /^([a-z0-9](?:[a-z0-9._-]{0,252})|\[[0-9a-f:.]{2,45}\])(?::(\d{1,5}))?$/i

function parseAuthority(text: string): { authority: string; host: string } | undefined {
  const match = authorityForm.exec(text)
  if (!match?.[1] || Number(match[2] ?? 80) > 65535) return undefined
  // The client has a zone for this address, which its `Host` does not carry (RFC 6874 section 4). Another program that
  // is given the address has none.
  if (isLinkLocal(match[1].slice(1))) return undefined
  return { authority: text, host: match[1] }
}

/**
 * Our address as a URL spells it; `localhost` when it is unknown. A zone (`%eth0`) means nothing to the client
 * and is dropped.
 */
function hostOf(address: string | undefined): string {
  if (address === undefined || address === '') return 'localhost'
  const plain = plainAddress(address)
  return bracketed(plain)
}

function withPort(host: string, port: number | undefined, service: ServiceName): string {
  return port === undefined || port === serviceTable[service].standardPort ? host : `${host}:${port}`
}

/**
 * Mount options; NFSv3 is what we speak. mount.nfs (nfs-utils 2.6.2) asks rpcbind about either service for
 * which not version, protocol and port are all given, and without an answer it gives up after a minute.
 */
function nfsOptions({ port, mountPort }: OpenService): string {
  if (port === serviceTable.nfs.standardPort && mountPort === undefined) return ''
  return `nfsvers=3,proto=tcp,port=${port},mountproto=tcp,mountport=${mountPort ?? port}`
}
