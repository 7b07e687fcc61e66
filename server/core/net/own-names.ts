import { canonicalIp } from './address.ts'

/** The names by which people reach this server. */
export interface OwnNames {
  /** Of this machine: its host name, with and without its domain. */
  readonly machine: readonly string[]
  /** `server.url` of the configuration. */
  readonly url: string | undefined
  /** `server.names` of the configuration. */
  readonly configured: readonly string[]
}

/**
 * Why a `Host` is not one of this server; undefined when it is, or when there is none. A page of another site whose name was
 * made to lead here (DNS rebinding) has that name in `Host`: it needs a name, so an address is always right, and so is any
 * port. Programs that send no `Host` are no browsers.
 */
export function whyForeignHost(host: string | undefined, names: OwnNames): string | undefined {
  if (host === undefined || host === '') return undefined
  const name = hostName(host)
  if (name === undefined || isOwnName(name, names)) return undefined
  return `this server is not called ${name}; if it is, add it to config.yaml: server: { names: [${name}] }`
}

/** The name in a `Host`, in lower case, without port and final dot; undefined for an address. */
function hostName(host: string): string | undefined {
  const name = host
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase()
  return canonicalIp(name) === undefined ? name : undefined
}

function isOwnName(name: string, { machine, url, configured }: OwnNames): boolean {
  if (name === 'localhost') return true
  const known = [...machine, ...configured, ...(url === undefined ? [] : [new URL(url).hostname])]
  return known.some((each) => each.replace(/\.$/, '').toLowerCase() === name)
}

/**
 * The names of a machine: its host name, the first label alone, `<label>.local` (mDNS, RFC 6762), and the label with each
 * domain.
 */
export function machineNames(hostname: string, domains: readonly string[]): readonly string[] {
  const [label = hostname] = hostname.split('.')
  if (label === '') return []
  return [...new Set([hostname, label, `${label}.local`, ...domains.map((domain) => `${label}.${domain}`)])]
}
