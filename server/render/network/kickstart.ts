import { type Network, type NetworkInterface, netmaskOf } from '../../core/guest/network.ts'
import type { Tree } from '../../core/tree/tree.ts'
import { kickstartQuote } from '../kickstart-quote.ts'

/**
 * The `network` commands of a kickstart (pykickstart's commands/network.py), that of the main interface first, because
 * anaconda activates the first one. Interfaces without an address have none.
 */
export function kickstartNetwork(network: Network, hostname: string, tree?: Tree): string[] {
  const { interfaces, main, nameservers, search } = network
  const others = interfaces.filter((each) => each !== main && hasAddress(each))
  const line = (each: NetworkInterface, more: readonly string[] = []) =>
    ['network', ...interfaceOptions(each, network), ...more].join(' ')
  return [
    line(main, [
      ...option('nameserver', nameservers.join(',')),
      ...(tree && knowsSearch(tree) ? option('ipv4-dns-search', search.join(',')) : []),
      ...option('hostname', hostname),
      '--activate',
    ]),
    ...others.map((each) => line(each)),
  ]
}

/** Since Fedora 39 (pykickstart 3.48). Enterprise Linux 9 got it in the middle of its life. */
function knowsSearch({ distro, version }: Tree): boolean {
  const major = Number.parseInt(version, 10)
  if (distro === 'fedora' || distro === 'eln') return !(major < 39)
  return major >= 10
}

function hasAddress({ ipv4, ipv6 }: NetworkInterface): boolean {
  return (ipv4 ?? ipv6) !== undefined
}

function interfaceOptions(each: NetworkInterface, network: Network): string[] {
  const { ipv4, ipv6 } = each
  const four = typeof ipv4 === 'object' ? ipv4 : undefined
  const six = typeof ipv6 === 'object' ? ipv6 : undefined
  return [
    ...(ipv4 === undefined ? [] : [`--bootproto=${four ? 'static' : 'dhcp'}`]),
    ...deviceOptions(each, network),
    ...(ipv4 === undefined ? ['--noipv4'] : []),
    ...(four
      ? [`--ip=${four.address}`, `--netmask=${netmaskOf(four.prefix)}`, ...option('gateway', four.gateway)]
      : []),
    ...(six ? [`--ipv6=${six.address}/${six.prefix}`, ...option('ipv6gateway', six.gateway)] : []),
    ...(typeof ipv6 === 'string' ? [`--ipv6=${ipv6}`] : []),
  ]
}

/** A bond and the VLAN on it are one command, unless the bond has an address, too (anaconda's `--onboot` code). */
function deviceOptions(each: NetworkInterface, { interfaces }: Network): string[] {
  const { name, mac, vlan } = each
  if (!vlan) return [...option('device', name ?? mac ?? 'link'), ...bondOptions(each)]
  const parent = interfaces.find((other) => other.name === vlan.parent)
  return [
    ...option('device', vlan.parent),
    ...(parent && !hasAddress(parent) ? bondOptions(parent) : []),
    `--vlanid=${vlan.id}`,
    ...option('interfacename', name),
  ]
}

function bondOptions({ bond }: NetworkInterface): string[] {
  if (!bond) return []
  return [...option('bondslaves', bond.members.join(',')), `--bondopts=mode=${bond.mode},miimon=100`]
}

function option(name: string, value: string | undefined): string[] {
  return value === undefined || value === '' ? [] : [`--${name}=${kickstartQuote(value)}`]
}
