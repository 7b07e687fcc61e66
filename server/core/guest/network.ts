import ipaddr from 'ipaddr.js'
import { canonicalIp } from '../net/address.ts'

/**
 * The network of a machine: how its interfaces are set up while it is installed and in the new system. All of it is
 * plain data; `core/distro/network-args.ts` makes kernel arguments of it, and `render/network/` parts of answer files.
 */
export interface Network {
  /** Physical interfaces, bonds and VLANs. What another one is made of stands before it. */
  readonly interfaces: readonly NetworkInterface[]
  /** The interface that the installer needs: the first one that has an address. */
  readonly main: NetworkInterface
  /** Canonical addresses. */
  readonly nameservers: readonly string[]
  /** DNS search domains. */
  readonly search: readonly string[]
  /** Where it was said, for people. */
  readonly from: string
}

/**
 * One interface. With a name alone it is the card that has this name, with a MAC alone the card with this MAC. With
 * both, the card with this MAC gets the name. With neither, it is the only card of the machine.
 */
export interface NetworkInterface {
  readonly name?: string
  readonly mac?: string
  readonly ipv4?: 'dhcp' | StaticAddress
  /** `auto`: by router advertisements. */
  readonly ipv6?: 'auto' | 'dhcp' | StaticAddress
  /** `parent` is the name of an interface of the same network. */
  readonly vlan?: { readonly id: number; readonly parent: string }
  readonly bond?: { readonly members: readonly string[]; readonly mode: BondMode }
}

export interface StaticAddress {
  readonly address: string
  readonly prefix: number
  readonly gateway?: string
}

/** Documentation/networking/bonding.rst of Linux. */
export const bondModes = [
  'active-backup',
  '802.3ad',
  'balance-rr',
  'balance-xor',
  'balance-tlb',
  'balance-alb',
  'broadcast',
] as const
export type BondMode = (typeof bondModes)[number]

/** Words that may stand in the place of an address. */
export const addressWords = ['dhcp', 'auto6', 'dhcp6', 'none'] as const

/** The keys of one interface, as the operator writes them. */
export interface InterfaceSettings {
  readonly name?: string
  readonly mac?: string
  /** `10.0.0.7/24`, `2001:db8::7/64`, or words. None means `dhcp`. */
  readonly address?: readonly string[]
  readonly gateway?: readonly string[]
  readonly vlan?: number
  /** Name or MAC of the interface that the VLAN is on. */
  readonly parent?: string
  readonly bond?: { readonly interfaces: readonly string[]; readonly mode?: BondMode }
}

/** The keys of `network:`. Without `interfaces`, the keys of one interface. */
export interface NetworkSettings extends Omit<InterfaceSettings, 'name' | 'mac' | 'parent'> {
  /** Name or MAC. */
  readonly interface?: string
  readonly nameservers?: readonly string[]
  readonly search?: readonly string[]
  readonly interfaces?: readonly InterfaceSettings[]
}

/** The keys that stand for one interface. `interfaces` and these exclude each other. */
export const oneInterfaceKeys = ['address', 'gateway', 'interface', 'vlan', 'bond'] as const

/** Whether what names a card is its MAC: names of interfaces have no colon here (config/network-schema.ts). */
export function isMac(text: string): boolean {
  return text.includes(':')
}

/** An address with its prefix, or undefined: `10.0.0.7/24` is `['10.0.0.7', 24]`. */
export function parsePrefixed(text: string): readonly [address: string, prefix: number] | undefined {
  const [, address = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? []
  const plain = canonicalIp(address)
  if (plain === undefined) return undefined
  const prefix = Number(bits)
  return prefix >= 1 && prefix <= (plain.includes(':') ? 128 : 32) ? [plain, prefix] : undefined
}

/** `255.255.255.0` for 24. */
export function netmaskOf(prefix: number): string {
  return ipaddr.IPv4.subnetMaskFromPrefixLength(prefix).toString()
}

/** How people name an interface: by its name, else by its MAC. */
export function interfaceLabel({ name, mac }: NetworkInterface): string {
  return name ?? mac ?? 'the only card'
}

/** `10.0.0.7/24 gateway 10.0.0.1`, `dhcp`, `no address`. */
export function addressText({ ipv4, ipv6 }: NetworkInterface): string {
  const text = (word: string, family: NetworkInterface['ipv4'] | NetworkInterface['ipv6']): string[] => {
    if (family === undefined) return []
    if (typeof family === 'string') return [word + family]
    const { address, prefix, gateway } = family
    return [`${address}/${prefix}${gateway === undefined ? '' : ` gateway ${gateway}`}`]
  }
  return [...text('', ipv4), ...text('IPv6 ', ipv6)].join(', ') || 'no address'
}

/** The interfaces that this one is made of, from the cards up, and itself. */
export function stackOf({ interfaces }: Network, top: NetworkInterface): readonly NetworkInterface[] {
  // Parts stand before what is made of them, so one walk from the end finds all.
  const wanted = new Set(partNames(top))
  const parts = interfaces.toReversed().filter((each) => {
    if (each === top || each.name === undefined || !wanted.has(each.name)) return false
    for (const part of partNames(each)) wanted.add(part)
    return true
  })
  return [...parts.reverse(), top]
}

/** The names of the interfaces that one is made of. */
export function partNames({ vlan, bond }: NetworkInterface): readonly string[] {
  return vlan ? [vlan.parent] : (bond?.members ?? [])
}
