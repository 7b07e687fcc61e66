import type { KernelArg } from '../boot/plan.ts'
import {
  interfaceLabel,
  type Network,
  type NetworkInterface,
  netmaskOf,
  type StaticAddress,
  stackOf,
} from '../guest/network.ts'
import { bracketed } from '../net/address.ts'
import { casperAddress, linuxrcAddress } from './address-args.ts'

/** How an installer reads its network from the command line. */
export type NetworkStyle =
  | 'dracut'
  | 'dracut-all'
  | 'loader'
  | 'netcfg'
  | 'linuxrc'
  | 'hostip'
  | 'klibc'
  | 'archiso'
  | 'casper'
  | 'live-boot'
  | 'drakx'

/** What the arguments of a network are made from. */
export interface NetworkContext {
  readonly network: Network
  /** The first label of the guest's host name, or '' when it has none that can be written. */
  readonly host: string
  /** Whether the installer reaches us by IPv6. Of two families it needs that one. */
  readonly byIpv6: boolean
}

interface Style {
  readonly args: (context: NetworkContext) => KernelArg[]
  /** What its language cannot say; undefined when it can say what the installation needs. */
  readonly lacks?: (top: NetworkInterface) => string | undefined
  /** It reads nothing about IPv6. */
  readonly ipv4Alone?: true
}

const styles: Readonly<Record<NetworkStyle, Style>> = {
  // The answer file sets up the other interfaces: one without a cable would hold up dracut's network module.
  dracut: { args: (context) => dracut(context, [context.network.main]) },
  // Where no answer file does it, dracut's arguments are all that the system gets.
  'dracut-all': { args: (context) => dracut(context, context.network.interfaces.filter(hasAddress)) },
  loader: { args: loader, lacks: (top) => (top.bond ? 'a bond' : ipv4Only(top)), ipv4Alone: true },
  netcfg: { args: netcfg, lacks: cardOnly },
  linuxrc: { args: linuxrc, lacks: (top) => (top.bond ? 'a bond' : undefined) ?? dottedCard(top) },
  hostip: { args: hostip, lacks: (top) => cardOnly(top) ?? ipv4Only(top) },
  klibc: { args: klibc, lacks: (top) => cardOnly(top) ?? ipv4Only(top), ipv4Alone: true },
  casper: { args: casper, lacks: (top) => cardOnly(top) ?? noStaticIpv6(top) },
  archiso: {
    args: archiso,
    lacks: (top) => cardOnly(top) ?? ipv4Only(top) ?? namedCard(top),
    ipv4Alone: true,
  },
  'live-boot': { args: liveBoot, lacks: (top) => cardOnly(top) ?? dhcpOnly(top), ipv4Alone: true },
  // Mageia's first stage has it in the value of `automatic=`.
  drakx: { args: () => [], lacks: (top) => cardOnly(top) ?? ipv4Only(top), ipv4Alone: true },
}

export function knowsIpv6(style: NetworkStyle): boolean {
  return !styles[style].ipv4Alone
}

/** The arguments by which an installer sets up the interface that it needs. */
export function networkArgs(style: NetworkStyle, context: NetworkContext): KernelArg[] {
  return styles[style].args(context)
}

/**
 * With the first interface that the installer can set up as the one that it installs by: where the main one is a bond and
 * debian-installer knows none, another card will do.
 */
export function installable(style: NetworkStyle, context: NetworkContext): NetworkContext {
  const { network } = context
  const { lacks } = styles[style]
  const candidates = [network.main, ...network.interfaces.filter(hasAddress)]
  const main = candidates.find((each) => lacks?.(each) === undefined)
  return main === undefined || main === network.main ? context : { ...context, network: { ...network, main } }
}

/** Why an installer cannot have this network, or undefined. The context is `installable`. */
export function whyNoNetwork(style: NetworkStyle, { network }: NetworkContext): string | undefined {
  const lacked = styles[style].lacks?.(network.main)
  if (lacked === undefined) return undefined
  const where = `${interfaceLabel(network.main)} of the ${network.from}`
  return `its installer cannot be told ${lacked} on the command line, and ${where} is set up so; give it a card that it can install by`
}

function hasAddress({ ipv4, ipv6 }: NetworkInterface): boolean {
  return (ipv4 ?? ipv6) !== undefined
}

function cardOnly({ vlan, bond }: NetworkInterface): string | undefined {
  if (vlan) return 'a VLAN'
  return bond ? 'a bond' : undefined
}

function ipv4Only({ ipv4 }: NetworkInterface): string | undefined {
  return ipv4 === undefined ? 'an IPv6 address' : undefined
}

function dhcpOnly({ ipv4 }: NetworkInterface): string | undefined {
  if (ipv4 === undefined) return 'an IPv6 address'
  return ipv4 === 'dhcp' ? undefined : 'a static address'
}

function namedCard(top: NetworkInterface): string | undefined {
  return kernelName(top) === undefined ? undefined : 'a card without its MAC'
}

/** linuxrc takes `.7` at the end of a card's name for a VLAN (`ifcfg_parse`). */
function dottedCard({ name, mac, vlan }: NetworkInterface): string | undefined {
  return !vlan && mac === undefined && name !== undefined && /\.\d+$/.test(name)
    ? `a card with the name ${name}`
    : undefined
}

function noStaticIpv6({ ipv4, ipv6 }: NetworkInterface): string | undefined {
  return ipv4 === undefined && typeof ipv6 === 'object' ? 'a static IPv6 address' : undefined
}

/** What stands for the family by which the installer reaches us, if the interface has it, else for the other one. */
function neededFamily({ ipv4, ipv6 }: NetworkInterface, byIpv6: boolean): NetworkInterface['ipv4' | 'ipv6'] {
  return byIpv6 ? (ipv6 ?? ipv4) : (ipv4 ?? ipv6)
}

/**
 * dracut.cmdline(7). Its own network module ends in `die` when a device has two `ip=` (parse-ip-opts.sh), so each gets
 * one. A card is named by its MAC with dashes, as in BOOTIF: the module and nm-initrd-generator take that, and a colon
 * would end the field. The number of a VLAN is read from the end of its name.
 */
function dracut({ network, host, byIpv6 }: NetworkContext, tops: readonly NetworkInterface[]): KernelArg[] {
  const parts = [...new Set(tops.flatMap((top) => stackOf(network, top)))]
  const args: KernelArg[] = []
  // Also those that the answer file sets up: it knows them by these names.
  for (const { name, mac } of network.interfaces)
    if (name !== undefined && mac !== undefined) args.push({ key: 'ifname', value: `${name}:${mac}` })
  for (const { name = '', bond } of parts)
    if (bond)
      args.push({ key: 'bond', value: `${name}:${bond.members.join(',')}:mode=${bond.mode},miimon=100` })
  for (const { name = '', vlan } of parts)
    if (vlan) args.push({ key: 'vlan', value: `${name}:${vlan.parent}` })
  for (const top of tops) args.push({ key: 'ip', value: dracutIp(top, host, byIpv6) })
  if (tops.length > 1) args.push({ key: 'bootdev', value: dracutDevice(network.main) })
  for (const value of network.nameservers) args.push({ key: 'nameserver', value })
  return args
}

function dracutIp(top: NetworkInterface, host: string, byIpv6: boolean): string {
  const device = dracutDevice(top)
  const family = neededFamily(top, byIpv6)
  if (typeof family === 'object') {
    const { address, prefix, gateway = '' } = family
    const mask = address.includes(':') ? String(prefix) : netmaskOf(prefix)
    return [bracketed(address), '', bracketed(gateway), mask, host, device, 'none'].join(':')
  }
  const word = dracutWord(family, top)
  return device === '' ? word : `${device}:${word}`
}

function dracutWord(family: 'dhcp' | 'auto' | undefined, { ipv4 }: NetworkInterface): string {
  if (family === 'auto') return 'auto6'
  return family === 'dhcp' && ipv4 === undefined ? 'dhcp6' : 'dhcp'
}

function dracutDevice({ name, mac = '' }: NetworkInterface): string {
  return name ?? mac.replaceAll(':', '-')
}

function staticIpv4({ ipv4 }: NetworkInterface): StaticAddress | undefined {
  return typeof ipv4 === 'object' ? ipv4 : undefined
}

/** anaconda before Enterprise Linux 7 and Fedora 19 (command-line.txt of anaconda 13). */
function loader({ network }: NetworkContext): KernelArg[] {
  const { main, nameservers } = network
  const device = stackOf(network, main)[0] ?? main
  const card = { key: 'ksdevice', value: device.mac ?? device.name ?? 'link' }
  const vlan = main.vlan ? [{ key: 'vlanid', value: String(main.vlan.id) }] : []
  const address = staticIpv4(main)
  if (!address) return [{ key: 'ip', value: 'dhcp' }, card, ...vlan]
  return [
    { key: 'ip', value: address.address },
    { key: 'netmask', value: netmaskOf(address.prefix) },
    ...optional('gateway', address.gateway),
    ...optional('dns', nameservers.join(',')),
    card,
    ...vlan,
  ]
}

/**
 * debian-installer's netcfg. It accepts a MAC as interface, and asks at critical priority for a gateway and name servers
 * that it was not given: `none` is no gateway for it, and its own suggestion for a name server is the gateway. IPv6 needs
 * the prefix behind the address. `disable_autoconfig` is there since Debian 7.
 */
function netcfg({ network, byIpv6 }: NetworkContext): KernelArg[] {
  const { main, nameservers } = network
  const family = neededFamily(main, byIpv6)
  const card: KernelArg = { key: 'interface', value: main.mac ?? main.name ?? 'auto' }
  if (typeof family !== 'object') return [card]
  const { address, prefix, gateway = 'none' } = family
  const isSix = address.includes(':')
  const servers = nameservers.slice(0, 3).join(' ') || gateway
  return [
    card,
    { key: 'netcfg/disable_autoconfig', value: 'true' },
    { key: 'netcfg/get_ipaddress', value: isSix ? `${address}/${prefix}` : address },
    ...(isSix ? [] : [{ key: 'netcfg/get_netmask', value: netmaskOf(prefix) }]),
    { key: 'netcfg/get_gateway', value: gateway },
    { key: 'netcfg/get_nameservers', value: servers },
    { key: 'netcfg/confirm_static', value: 'true' },
  ]
}

/**
 * linuxrc's `ifcfg=DEVICE=ADDRESSES,GATEWAYS,SERVERS,DOMAINS`, several of each with blanks between them (`ifcfg_parse` in
 * net.c). A device may be a MAC or a pattern, and `.10` at its end is the VLAN. A static one is used for one card only.
 */
function linuxrc({ network, byIpv6 }: NetworkContext): KernelArg[] {
  const { main, nameservers, search } = network
  const card = stackOf(network, main)[0] ?? main
  const device = `${card.mac ?? card.name ?? '*'}${main.vlan ? `.${main.vlan.id}` : ''}`
  const statics = [main.ipv4, main.ipv6].filter((family) => typeof family === 'object')
  const alone = byIpv6 && main.ipv4 === undefined ? linuxrcAddress({ byIpv6 }) : []
  if (statics.length === 0) {
    const word = main.ipv4 === undefined ? 'dhcp6' : 'dhcp'
    return [{ key: 'ifcfg', value: `${device}=${word}` }, ...alone]
  }
  const fields = [
    statics.map(({ address, prefix }) => `${address}/${prefix}`).join(' '),
    statics.flatMap(({ gateway }) => gateway ?? []).join(' '),
    nameservers.join(' '),
    search.join(' '),
  ]
  return [{ key: 'ifcfg', value: `${device}=${fields.join(',').replace(/,+$/, '')}` }, ...alone]
}

/** linuxrc before SUSE Linux Enterprise 12 (linuxrc.html: HostIP, Gateway, Nameserver, NetDevice). */
function hostip({ network }: NetworkContext): KernelArg[] {
  const { main, nameservers } = network
  const device = optional('netdevice', main.mac ?? main.name)
  const address = staticIpv4(main)
  if (!address) return device
  return [
    { key: 'hostip', value: `${address.address}/${address.prefix}` },
    ...optional('gateway', address.gateway),
    ...optional('nameserver', nameservers[0]),
    ...device,
  ]
}

/** klibc's ipconfig for IPv4. For IPv6 Ubuntu's initramfs-tools has an argument of its own, which takes no address. */
function casper(context: NetworkContext): KernelArg[] {
  const { network, byIpv6 } = context
  const { ipv4, ipv6, mac } = network.main
  if (typeof ipv6 !== 'string' || (ipv4 !== undefined && !byIpv6)) return klibc(context)
  return [...casperAddress({ byIpv6: true }), ...bootif(mac)]
}

function bootif(mac: string | undefined): KernelArg[] {
  return optional('BOOTIF', mac && `01-${mac.replaceAll(':', '-')}`)
}

/**
 * klibc's ipconfig, which initramfs-tools (casper) and Alpine read `ip=` as: IPv4, a card by its name, and two
 * name servers at the end. By MAC, initramfs-tools finds the card of `BOOTIF` (`configure_networking`).
 */
function klibc({ network, host }: NetworkContext): KernelArg[] {
  const { main, nameservers } = network
  const device = kernelName(main) ?? ''
  const address = staticIpv4(main)
  if (!address) {
    const value = device === '' ? 'dhcp' : ['', '', '', '', host, device, 'dhcp'].join(':')
    return [{ key: 'ip', value }, ...bootif(main.mac)]
  }
  const servers = nameservers.filter((each) => !each.includes(':')).slice(0, 2)
  const { gateway = '' } = address
  const fields = [address.address, '', gateway, netmaskOf(address.prefix), host, device, 'none', ...servers]
  return [{ key: 'ip', value: fields.join(':') }, ...bootif(main.mac)]
}

/**
 * archiso's `ip=` is what PXELINUX makes of it: four fields, behind which the hook puts the card of `BOOTIF`
 * (mkinitcpio-archiso 73, hooks/archiso_pxe_common). Our loaders add a BOOTIF. With more fields ipconfig would give the
 * address to every card, or find no address where the hook has put the card. So there is no room for name servers.
 */
function archiso({ network }: NetworkContext): KernelArg[] {
  const { main } = network
  const address = staticIpv4(main)
  const fields = address && [address.address, '', address.gateway ?? '', netmaskOf(address.prefix)]
  return [{ key: 'ip', value: fields?.join(':') ?? 'dhcp' }, ...bootif(main.mac)]
}

/**
 * Debian's live-boot(7) asks DHCPv4 before it fetches its image, whatever its `ip=` says: that is for the new system alone
 * (1:20230131, do_netsetup in 9990-networking.sh). It is told the card, and name servers.
 */
function liveBoot({ network }: NetworkContext): KernelArg[] {
  const { main, nameservers } = network
  return [
    ...optional('ethdevice', kernelName(main)),
    ...bootif(main.mac),
    ...optional('dns', nameservers.join(',')),
  ]
}

/**
 * The part of Mageia's `automatic=` that says the network (mdk-stage1/doc/TECH-INFOS). It takes interfaces by name, and
 * one name server; `wired` is the first card with a link.
 */
export function drakxNetwork({ network }: NetworkContext): string {
  const { main, nameservers } = network
  const device = `interface:${kernelName(main) ?? 'wired'}`
  const address = staticIpv4(main)
  if (!address) return `${device},network:dhcp`
  const { gateway = '' } = address
  const dns = nameservers.find((each) => !each.includes(':')) ?? gateway
  return `${device},network:static,ip:${address.address},netmask:${netmaskOf(address.prefix)},gateway:${gateway},dns:${dns}`
}

/** The name that the card has by itself. A name beside a MAC is one that the new system gives. */
function kernelName({ name, mac }: NetworkInterface): string | undefined {
  return mac === undefined ? name : undefined
}

function optional(key: string, value: string | undefined): KernelArg[] {
  return value === undefined || value === '' ? [] : [{ key, value }]
}
