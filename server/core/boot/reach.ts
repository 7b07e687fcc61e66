import type { InstallerNetwork } from '../distro/installer-context.ts'
import { interfaceLabel, type NetworkInterface, type StaticAddress } from '../guest/network.ts'
import { canonicalIp, isLinkLocal, isLoopback } from '../net/address.ts'
import { isInNetworks } from '../net/network.ts'
import type { KernelArg } from './plan.ts'

/**
 * Whether an installer with a static network reaches the hosts that its own arguments name. Only what the configuration
 * says is judged: DHCP and router advertisements may bring addresses, name servers and routes that nobody knows here.
 */

/** Why an installer does not reach a host. `isSure`: it can only fail; else it may work in a way unknown here. */
export interface Unreachable {
  readonly isSure: boolean
  readonly why: string
}

export interface ReachInputs {
  readonly network: InstallerNetwork
  /** Our own arguments, as far as they are on the command line. */
  readonly ours: readonly KernelArg[]
  /** Those of the operator that are on the command line. */
  readonly operators: readonly KernelArg[]
  /** Nothing says the prefix of the address: it was made up. */
  readonly isPrefixGuessed: boolean
}

/** With one of these the operator sets up the network by other means, or fetches by other ways. */
const otherWays = /^(ip6?|ifcfg|hostip|gateway|netmask|route|rd\.route|bond|vlan|bridge)$|^netcfg\/|proxy/i
/** With one of these he names name servers. */
const serverKeys = /^(nameserver|dns)$/i

/** Why the hosts of our arguments are not reached, the sure reason first; undefined when nothing speaks against it. */
export function whyUnreachable(inputs: ReachInputs): Unreachable | undefined {
  const { network, ours, operators } = inputs
  const isWhole = network.args.every((arg) => ours.includes(arg))
  if (!isWhole || operators.some(({ key }) => otherWays.test(key))) return undefined
  const hosts = new Set(ours.flatMap(({ value = '' }) => hostsIn(value)))
  const found = [...hosts].flatMap((host) => {
    const ip = canonicalIp(host)
    if (ip !== undefined) return verdictOnAddress(ip, inputs) ?? []
    return operators.some(({ key }) => serverKeys.test(key)) ? [] : (verdictOnName(host, inputs) ?? [])
  })
  return found.find(({ isSure }) => isSure) ?? found[0]
}

/** The hosts of URLs, of `nfs:[OPTIONS:]HOST:/PATH`, and of Mageia's `server:HOST`. An IPv6 address is in brackets. */
function hostsIn(value: string): string[] {
  const host = String.raw`(\[[^\]]*\]|[^\[\]/:,;@\s]+)`
  const forms = [`[a-z]://(?:[^/@\\s]*@)?${host}`, `^nfs:(?:[^:/]*:)?${host}:/`, `(?:^|,)server:${host}`]
  return forms.flatMap((form) =>
    [...value.matchAll(new RegExp(form, 'gi'))].map(([, found = '']) => found.toLowerCase()),
  )
}

function verdictOnAddress(ip: string, inputs: ReachInputs): Unreachable | undefined {
  const { network, isPrefixGuessed } = inputs
  const { main, interfaces, from } = network.network
  if (isLoopback(ip) || isLinkLocal(ip) || reaches(main, ip)) return undefined
  const other = interfaces.find((each) => reaches(each, ip))
  if (other) return isSetUp(other, network) ? undefined : otherAlone(ip, other, inputs)
  const isSix = ip.includes(':')
  const family = familyOf(main, isSix)
  if (family === undefined) {
    // The kernel may take an IPv6 address from a router advertisement, and with `auto6` NetworkManager asks for an IPv4
    // address, too (nmi-cmdline-reader.c).
    const isSure = !isSix && !interfaces.some(mayLearn)
    const [wanted, given] = isSix ? ['IPv6', 'IPv4'] : ['IPv4', 'IPv6']
    return {
      isSure,
      why: `its installer is to fetch from ${ip}, and ${interfaceLabel(main)} has an ${given} address alone (${from}): give it an ${wanted} address, too, or set server.url to a host that it reaches`,
    }
  }
  // An advertisement may bring a route for IPv6. A guessed prefix proves nothing.
  const { address, prefix } = family as StaticAddress
  return {
    isSure: !isSix && !isPrefixGuessed,
    why: `its installer is to fetch from ${ip}, which is outside of the network of ${address}/${prefix}, and there is no gateway (${from}): add network.gateway, or set server.url to a host in that network`,
  }
}

function verdictOnName(host: string, inputs: ReachInputs): Unreachable | undefined {
  const { network } = inputs
  const { main, interfaces, nameservers, from } = network.network
  const needed = familyOf(main, network.byIpv6) ?? familyOf(main, !network.byIpv6)
  if (host === 'localhost' || typeof needed === 'string') return undefined
  const isSure = !interfaces.some(mayLearn)
  const remedy = 'set server.url to an address'
  if (nameservers.length === 0)
    return {
      isSure: isSure && !asksGateway(network, needed),
      why: `its installer is to fetch from ${host}, and has no name server to find its address (${from}): add network.nameservers, or ${remedy}`,
    }
  const verdicts = nameservers.map((ip) => (isLoopback(ip) ? noServer : verdictOnAddress(ip, inputs)))
  if (verdicts.includes(undefined)) return undefined
  return {
    isSure: isSure && verdicts.every((each) => each?.isSure),
    why: `its installer is to fetch from ${host}, and reaches none of its name servers ${nameservers.join(', ')} (${from}): correct network.nameservers or network.gateway, or ${remedy}`,
  }
}

/** A name server on the machine itself is not there yet. */
const noServer: Unreachable = { isSure: false, why: '' }

/** debian-installer and drakx are told the gateway as name server where there is no other (`netcfg`, `drakxNetwork`). */
function asksGateway({ args }: InstallerNetwork, address: StaticAddress | undefined): boolean {
  const isSaid = args.length === 0 || args.some(({ key }) => key === 'netcfg/get_nameservers')
  return isSaid && address?.gateway !== undefined
}

/** The interface reaches the address, or nobody here can know that it does not. */
function reaches(each: NetworkInterface, ip: string): boolean {
  const family = familyOf(each, ip.includes(':'))
  if (typeof family !== 'object') return family !== undefined
  return family.gateway !== undefined || isInNetworks(ip, [`${family.address}/${family.prefix}`])
}

function familyOf({ ipv4, ipv6 }: NetworkInterface, isSix: boolean): NetworkInterface['ipv4' | 'ipv6'] {
  return isSix ? ipv6 : ipv4
}

function mayLearn({ ipv4, ipv6 }: NetworkInterface): boolean {
  return typeof ipv4 === 'string' || typeof ipv6 === 'string'
}

/** dracut's arguments set up several interfaces where no answer file does it. */
function isSetUp(each: NetworkInterface, { args, network }: InstallerNetwork): boolean {
  return each === network.main || args.filter(({ key }) => key === 'ip').length > 1
}

function otherAlone(ip: string, other: NetworkInterface, { network }: ReachInputs): Unreachable {
  const { main, from } = network.network
  return {
    isSure: false,
    why: `its installer is to fetch from ${ip}, which ${interfaceLabel(other)} reaches and ${interfaceLabel(main)} does not, and is told to use ${interfaceLabel(main)} (${from}): write the interface that reaches treeboot first`,
  }
}
