import ipaddr from 'ipaddr.js'
import {
  type InterfaceSettings,
  type NetworkInterface,
  type NetworkSettings,
  parsePrefixed,
  partNames,
} from './network.ts'
import {
  interfaceSettings,
  isIpv4,
  isIpv6,
  type NetworkOwner,
  networkOf,
  plainSettings,
} from './resolve-network.ts'

/** What is wrong with a network. `path` is below `network:`. */
export interface NetworkFault {
  readonly path: readonly (string | number)[]
  readonly message: string
  readonly remedy: string
}

/** Everything that is wrong with the network of a guest, beyond what the schema of each key says. */
export function networkFaults(guest: NetworkOwner): NetworkFault[] {
  const { network } = guest.settings
  if (network === undefined) return []
  const written = plainSettings(network)
  const interfaces = interfaceSettings(written, guest.macs)
  const pathOf = (i: number): (string | number)[] => (written.interfaces ? ['interfaces', i] : [])
  const own = interfaces.flatMap((each, i) => {
    // The short form of a VLAN stands for two interfaces, and the keys of both are in one place.
    return [...addressFaults(each, pathOf(i)), ...partFaults(each, pathOf(i), written)]
  })
  return [
    ...own,
    ...serverFaults(written),
    ...namingFaults(interfaces, pathOf),
    ...sharedFaults(interfaces, pathOf),
    ...wholeFaults(guest),
  ]
}

const families = [
  { family: 'IPv4', isFamily: isIpv4, words: ['dhcp'] },
  { family: 'IPv6', isFamily: isIpv6, words: ['auto6', 'dhcp6'] },
] as const

function addressFaults(written: InterfaceSettings, path: NetworkFault['path']): NetworkFault[] {
  const { address = ['dhcp'] } = written
  const none: Why[] =
    address.includes('none') && address.length > 1
      ? [['address', 'none stands beside other addresses', 'remove none']]
      : []
  const faults = [...none, ...families.flatMap((each) => familyFaults(written, each))]
  return faults.map(([key, message, remedy]) => ({ path: [...path, key], message, remedy }))
}

type Why = [key: 'address' | 'gateway', message: string, remedy: string]

/** What is wrong with the addresses and gateways of one family. */
function familyFaults(
  { address = ['dhcp'], gateway = [] }: InterfaceSettings,
  { family, isFamily, words }: (typeof families)[number],
): Why[] {
  const said = address.filter((text) => words.some((word) => word === text)).length
  const statics = address.map(parsePrefixed).filter((each) => each !== undefined && isFamily(each[0]))
  const [first] = statics
  const [via, ...otherGateways] = gateway.filter(isFamily)
  const faults: Why[] = []
  if (statics.length + said > 1)
    faults.push([
      'address',
      `more than one ${family} address`,
      'an installer sets one address of each family',
    ])
  if (otherGateways.length > 0)
    faults.push(['gateway', `more than one ${family} gateway`, 'keep one of them'])
  if (first) faults.push(...hostFaults(first))
  const noRouter = via === undefined ? undefined : whyNoHost(via)
  if (noRouter !== undefined) return [...faults, ['gateway', noRouter, 'write the address of the router']]
  if (via === undefined) return faults
  if (first) return [...faults, ...gatewayFaults(first, via)]
  const why = `${via} is for a static ${family} address, and there is none`
  return [...faults, ['gateway', why, `add the address, or remove ${via}`]]
}

function gatewayFaults([ip, prefix]: readonly [string, number], gateway: string): Why[] {
  if (gateway === ip)
    return [['gateway', `${gateway} is the address of the guest itself`, 'write the address of the router']]
  // Routers of IPv6 are mostly known by their link-local addresses.
  const via = ipaddr.parse(gateway)
  if (via.range() === 'linkLocal' && isIpv6(gateway)) return []
  if (via.match(ipaddr.parseCIDR(`${ip}/${prefix}`))) {
    const whole = whyWholeNetwork(gateway, prefix)
    return whole === undefined ? [] : [['gateway', whole, 'write the address of the router']]
  }
  const network = `${networkAddress(ip, prefix)}/${prefix}`
  const why = `${gateway} is outside of ${network}, the network of ${ip}`
  return [['gateway', why, 'correct the gateway or the prefix']]
}

function hostFaults([ip, prefix]: readonly [string, number]): Why[] {
  const why = whyNoHost(ip) ?? whyWholeNetwork(ip, prefix)
  return why === undefined ? [] : [['address', why, 'write the address of the machine']]
}

/** A point-to-point network has no such address: RFC 3021, RFC 6164. */
function whyWholeNetwork(ip: string, prefix: number): string | undefined {
  if (prefix > (isIpv6(ip) ? 126 : 30)) return undefined
  if (ip === networkAddress(ip, prefix)) return `${ip}/${prefix} is the address of the network itself`
  if (isIpv6(ip)) return undefined
  const broadcast = ipaddr.IPv4.broadcastAddressFromCIDR(`${ip}/${prefix}`).toString()
  return ip === broadcast ? `${ip} is the broadcast address of its network` : undefined
}

/** Why no other machine has this address. 240.0.0.0/4 is reserved (RFC 1112 section 4). */
function whyNoHost(ip: string): string | undefined {
  const range = ipaddr.parse(ip).range()
  if (range === 'unspecified' || range === 'loopback' || range === 'multicast' || range === 'broadcast')
    return `${ip} is ${range === 'unspecified' ? 'an' : 'a'} ${range} address`
  return /^2[45]\d\./.test(ip) ? `${ip} is a reserved address` : undefined
}

/** A name server may be on the machine itself. */
function serverFaults({ nameservers = [] }: NetworkSettings): NetworkFault[] {
  const remedy = 'write the address of a name server'
  return nameservers.flatMap((ip, i) => {
    const why = ipaddr.parse(ip).range() === 'loopback' ? undefined : whyNoHost(ip)
    const path = ['nameservers', i]
    if (why !== undefined) return [{ path, message: why, remedy }]
    if (nameservers.indexOf(ip) < i)
      return [{ path, message: `${ip} is in the list already`, remedy: 'keep one of them' }]
    if (isIpv6(ip) && ipaddr.parse(ip).range() === 'linkLocal')
      return [
        { path, message: `${ip} is a link-local address, which is another machine on each link`, remedy },
      ]
    return []
  })
}

function networkAddress(ip: string, prefix: number): string {
  const cidr = `${ip}/${prefix}`
  return (
    isIpv6(ip) ? ipaddr.IPv6.networkAddressFromCIDR(cidr) : ipaddr.IPv4.networkAddressFromCIDR(cidr)
  ).toString()
}

/** What is wrong with a bond or a VLAN. */
function partFaults(each: InterfaceSettings, path: NetworkFault['path'], { interfaces }: NetworkSettings) {
  const { name, vlan, parent, bond } = each
  const faults: NetworkFault[] = []
  if (vlan !== undefined && parent === undefined)
    faults.push({
      path: [...path, 'vlan'],
      message: `nothing says which interface VLAN ${vlan} is on`,
      remedy: interfaces ? 'add parent: with a name or MAC' : 'add interface: with a name or MAC',
    })
  if (vlan === undefined && parent !== undefined)
    faults.push({
      path: [...path, 'parent'],
      message: 'parent is only for a VLAN',
      remedy: 'add vlan: with its number',
    })
  if (vlan !== undefined && bond !== undefined)
    faults.push({
      path: [...path, 'bond'],
      message: 'one interface is a VLAN and a bond',
      remedy: 'write two interfaces, with the bond as parent of the VLAN',
    })
  // dracut, NetworkManager and systemd read the number of a VLAN from the end of its name.
  if (vlan !== undefined && name !== undefined && Number(/\d+$/.exec(name)?.[0]) !== vlan)
    faults.push({
      path: [...path, 'name'],
      message: `the name ${name} does not end in ${vlan}, and installers read the number of a VLAN from its name`,
      remedy: `write vlan${vlan}, or leave the name out`,
    })
  if (bond !== undefined && name === undefined)
    faults.push({ path: [...path, 'bond'], message: 'the bond has no name', remedy: 'add name: bond0' })
  return faults
}

type PathOf = (i: number) => (string | number)[]

/** Interfaces that cannot be told apart. */
function namingFaults(interfaces: readonly InterfaceSettings[], pathOf: PathOf): NetworkFault[] {
  const isPlain = ({ vlan, bond }: InterfaceSettings) => vlan === undefined && bond === undefined
  const plain = interfaces.filter(isPlain).length
  return interfaces.flatMap((each, i) => {
    const faults: NetworkFault[] = []
    const { name, mac } = each
    if (isPlain(each) && name === undefined && mac === undefined && plain > 1)
      faults.push({
        path: pathOf(i),
        message: 'nothing says which card this is',
        remedy: 'add name: or mac:',
      })
    if (name !== undefined && mac !== undefined && /^eth\d+$/.test(name))
      faults.push({
        path: [...pathOf(i), 'name'],
        message: `${name} is a name that Linux gives by itself, so the card ${mac} cannot be given it for sure`,
        remedy: `write another name, such as lan${name.slice(3)}, or leave the name out`,
      })
    for (const key of ['name', 'mac'] as const) {
      const value = each[key]
      if (value !== undefined && interfaces.findIndex((other) => other[key] === value) < i)
        faults.push({
          path: [...pathOf(i), key],
          message: `another interface has the ${key} ${value} already`,
          remedy: 'correct one of them',
        })
    }
    return faults
  })
}

/** What only one interface can have: an address, a place in a bond, and the default route. */
function sharedFaults(interfaces: readonly InterfaceSettings[], pathOf: PathOf): NetworkFault[] {
  const seen = new Set<string>()
  return interfaces.flatMap((each, i) => {
    const claims = [
      ...(each.address ?? []).flatMap((text) => {
        const [ip] = parsePrefixed(text) ?? []
        return ip === undefined
          ? []
          : [['address', ip, `another interface has the address ${ip} already`] as const]
      }),
      ...(each.gateway ?? []).map((via) => {
        const family = isIpv6(via) ? 'IPv6' : 'IPv4'
        return ['gateway', family, `a second default gateway of ${family}: ${via}`] as const
      }),
      ...(each.bond?.interfaces ?? []).map(
        (part) => ['bond', part, `${part} is in more than one bond, or twice in one`] as const,
      ),
    ]
    return claims.flatMap(([key, what, message]) => {
      if (!seen.has(`${key} ${what}`)) {
        seen.add(`${key} ${what}`)
        return []
      }
      return [{ path: [...pathOf(i), key], message, remedy: 'keep one of them' }]
    })
  })
}

/** What shows only when the parts are joined. */
function wholeFaults(guest: NetworkOwner): NetworkFault[] {
  const network = networkOf(guest)
  const none = [
    'no interface has an address',
    'give one an address, or dhcp: the installer needs one',
  ] as const
  const faults = network?.interfaces.flatMap((each) => joinedFaults(each, network.interfaces)) ?? [none]
  return faults.map(([message, remedy]) => ({ path: [], message, remedy }))
}

type Joined = readonly [message: string, remedy: string]

function joinedFaults(each: NetworkInterface, all: readonly NetworkInterface[]): Joined[] {
  const { name, vlan } = each
  const members = all.flatMap((other) => other.bond?.members ?? [])
  const faults: Joined[] = []
  if (name !== undefined && members.includes(name)) faults.push(...memberFaults(each, name))
  if (vlan && members.includes(vlan.parent))
    faults.push([
      `${vlan.parent} is a part of a bond, and VLAN ${vlan.id} is on it`,
      `put the VLAN on the bond, or take ${vlan.parent} out of it`,
    ])
  if (name !== undefined && all.find((other) => other.name === name) !== each)
    faults.push([`two interfaces get the name ${name}`, otherName(each)])
  if (isInCircle(each, all)) faults.push([`${name} is made of itself`, 'correct parent or bond'])
  return faults
}

/** Linux makes no bond of bonds, and uses no address of a part of one. */
function memberFaults({ ipv4, ipv6, bond }: NetworkInterface, name: string): Joined[] {
  if (bond) return [[`the bond ${name} is a part of a bond`, 'name its cards instead']]
  if ((ipv4 ?? ipv6) === undefined) return []
  return [
    [
      `${name} is a part of a bond and has an address`,
      `write "address: none" for ${name}, and the address for the bond`,
    ],
  ]
}

function otherName({ vlan }: NetworkInterface): string {
  return vlan ? `add name: to one of them, which ends in ${vlan.id}` : 'give one of them another name'
}

function isInCircle(start: NetworkInterface, interfaces: readonly NetworkInterface[]): boolean {
  const seen = new Set<string>()
  const pending = [...partNames(start)]
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === start.name) return true
    if (seen.has(part)) continue
    seen.add(part)
    pending.push(...interfaces.filter(({ name }) => name === part).flatMap(partNames))
  }
  return false
}
