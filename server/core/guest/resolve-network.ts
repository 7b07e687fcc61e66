import { defined } from '../defined.ts'
import { canonicalIp } from '../net/address.ts'
import { isInNetworks } from '../net/network.ts'
import type { Guest, SourcedNetwork } from './guest.ts'
import {
  type InterfaceSettings,
  isMac,
  type Network,
  type NetworkInterface,
  type NetworkSettings,
  parsePrefixed,
  partNames,
  type StaticAddress,
} from './network.ts'

/** What a network is resolved from. */
export type NetworkOwner = Pick<Guest, 'macs' | 'settings'> & { readonly ip?: string }

/**
 * The network of a guest, from its setting `network`, else from `ip` and the vars that were there before it; undefined
 * when nothing says anything of it: then the machine is set up by DHCP.
 */
export function networkOf(guest: NetworkOwner): Network | undefined {
  const { network } = guest.settings
  const written = network === undefined ? varsNetwork(guest) : plainSettings(network)
  if (written === undefined) return undefined
  const from = network === undefined ? varsOrigin(guest) : networkOrigin(network)
  const interfaces = withParts(interfaceSettings(written, guest.macs)).map(toInterface)
  const main = interfaces.find(({ ipv4, ipv6 }) => ipv4 !== undefined || ipv6 !== undefined)
  if (main === undefined) return undefined
  const { nameservers = [], search = [] } = written
  return { interfaces: partsFirst(interfaces), main, nameservers, search, from: `network of ${from}` }
}

export function plainSettings(network: SourcedNetwork): NetworkSettings {
  return Object.fromEntries(Object.entries(network).map(([key, sourced]) => [key, sourced?.value]))
}

/** The place of the key that says most. */
function networkOrigin(network: SourcedNetwork): string {
  const { interfaces, address, ...others } = network
  return (interfaces ?? address ?? Object.values(others)[0])?.from ?? 'default'
}

function varsOrigin({ settings }: NetworkOwner): string {
  return settings.vars.gateway?.from ?? settings.vars.bootproto?.from ?? 'default'
}

/**
 * What `ip` and the vars `gateway`, `prefix`, `nameservers` and `bootproto` of a guest say, which `fedora.ks` read before
 * there was `network:`. Undefined unless they mean a static address.
 */
export function varsNetwork({ ip, settings }: NetworkOwner): NetworkSettings | undefined {
  const value = (name: string) => settings.vars[name]?.value
  const how = value('bootproto') ?? (value('gateway') === undefined ? 'dhcp' : 'static')
  if (ip === undefined || how !== 'static') return undefined
  const prefix = value('prefix') ?? (ip.includes(':') ? 64 : 24)
  const address = `${ip}/${prefix}`
  const named = value('nameservers')
  const nameservers = addresses(Array.isArray(named) ? named : [named])
  if (parsePrefixed(address) === undefined) return undefined
  const gateway = addresses([value('gateway')])
  // The prefix is a guess where nothing says it, and `gateway` may be a var for something else.
  const fits =
    gateway.length === (value('gateway') === undefined ? 0 : 1) &&
    gateway.every((via) => isInNetworks(via, [address]) || via.startsWith('fe80:'))
  return fits ? { address: [address], gateway, nameservers } : undefined
}

function addresses(values: readonly unknown[]): string[] {
  return values.flatMap((value) => (typeof value === 'string' ? (canonicalIp(value) ?? []) : []))
}

/** The interfaces as written: those of the list, or the one that the short form stands for. */
export function interfaceSettings(written: NetworkSettings, macs: readonly string[]): InterfaceSettings[] {
  const { interfaces, address, gateway, interface: card = macs[0], vlan, bond } = written
  if (interfaces) return [...interfaces]
  const said = defined({ address, gateway })
  const cardKeys = card === undefined || isMac(card) ? defined({ mac: card }) : { name: card }
  const base: InterfaceSettings = bond ? { name: 'bond0', bond } : cardKeys
  if (vlan === undefined) return [{ ...base, ...said }]
  const parent = bond ? 'bond0' : card
  return [
    { ...base, address: ['none'] },
    { ...said, vlan, ...defined({ parent }) },
  ]
}

/**
 * Adds what is only named by others: the members of a bond, and the card of a VLAN. Such a part has no address unless it
 * says so. Without a name it gets one, because a bond or VLAN knows its parts by their names.
 */
function withParts(written: readonly InterfaceSettings[]): InterfaceSettings[] {
  const wanted = written.flatMap(({ parent, bond }) => [
    ...(parent === undefined ? [] : [parent]),
    ...(bond?.interfaces ?? []),
  ])
  const isPart = ({ name, mac }: InterfaceSettings) => wanted.some((part) => part === name || part === mac)
  const taken = new Set<string | undefined>([...written.map(({ name }) => name), ...wanted])
  /** The first free one from `net<i>` on. */
  const freeName = (i: number): string => {
    const name = `net${i}`
    if (taken.has(name)) return freeName(i + 1)
    taken.add(name)
    return name
  }
  const known = written.map((each, i) => {
    if (!isPart(each)) return each
    const named = each.name === undefined && each.mac !== undefined ? { ...each, name: freeName(i) } : each
    return { address: ['none'], ...named }
  })
  const added: InterfaceSettings[] = []
  for (const part of new Set(wanted)) {
    if ([...known, ...added].some(({ name, mac }) => part === name || part === mac)) continue
    const card = isMac(part) ? { name: freeName(known.length + added.length), mac: part } : { name: part }
    added.push({ ...card, address: ['none'] })
  }
  return [...added, ...known].map((each, _, all) => namedParts(each, all))
}

/** With the names of its parts, where they were given by MAC, and with a name of its own for a VLAN. */
function namedParts(each: InterfaceSettings, all: readonly InterfaceSettings[]): InterfaceSettings {
  const nameOf = (part: string) => all.find(({ name, mac }) => part === name || part === mac)?.name ?? part
  const parent = each.parent === undefined ? undefined : nameOf(each.parent)
  const bond = each.bond && { ...each.bond, interfaces: each.bond.interfaces.map(nameOf) }
  const name = each.name ?? (each.vlan === undefined ? undefined : vlanName(each.vlan, parent))
  return { ...each, ...defined({ name, parent, bond }) }
}

/**
 * dracut, NetworkManager and linuxrc know a VLAN's number by the end of its name. IFNAMSIZ of Linux leaves 15 bytes.
 */
function vlanName(id: number, parent = ''): string {
  const name = `${parent}.${id}`
  return parent === '' || name.length > 15 ? `vlan${id}` : name
}

function toInterface(written: InterfaceSettings): NetworkInterface {
  const { name, mac, vlan, parent, bond, address = ['dhcp'], gateway = [] } = written
  const statics = address.map(parsePrefixed).filter((each) => each !== undefined)
  const staticOf = (isFamily: (address: string) => boolean): StaticAddress | undefined => {
    const found = statics.find(([ip]) => isFamily(ip))
    return found && { address: found[0], prefix: found[1], ...defined({ gateway: gateway.find(isFamily) }) }
  }
  return defined({
    name,
    mac,
    ipv4: staticOf(isIpv4) ?? (address.includes('dhcp') ? ('dhcp' as const) : undefined),
    ipv6: staticOf(isIpv6) ?? ipv6Words.find(({ word }) => address.includes(word))?.how,
    vlan: vlan === undefined || parent === undefined ? undefined : { id: vlan, parent },
    bond: bond && { members: bond.interfaces, mode: bond.mode ?? ('active-backup' as const) },
  })
}

const ipv6Words = [
  { word: 'auto6', how: 'auto' },
  { word: 'dhcp6', how: 'dhcp' },
] as const

export function isIpv6(address: string): boolean {
  return address.includes(':')
}

export function isIpv4(address: string): boolean {
  return !isIpv6(address)
}

/** Parts before what is made of them, in the order as written. A circle, which is a fault, ends where it closes. */
function partsFirst(interfaces: readonly NetworkInterface[]): readonly NetworkInterface[] {
  const ordered = new Set<NetworkInterface>()
  const entered = new Set<NetworkInterface>()
  const add = (each: NetworkInterface): void => {
    if (entered.has(each)) return
    entered.add(each)
    const parts = partNames(each)
    for (const part of interfaces) if (part.name !== undefined && parts.includes(part.name)) add(part)
    ordered.add(each)
  }
  interfaces.forEach(add)
  return [...ordered]
}
