import type { Network, NetworkInterface } from '../../core/guest/network.ts'
import { xmlText } from '../quote.ts'

/**
 * The lines in `<networking>` of an AutoYaST profile (AutoYaST guide, "Network configuration").
 * AutoYaST knows cards by their names. So a card that is known by its MAC alone stays as linuxrc has set it up from the
 * command line: `keep_install_network`.
 */
export function autoyastNetwork(network: Network, hostname: string): string[] {
  const { interfaces, nameservers, search } = network
  const named = interfaces.filter(({ name }) => name !== undefined)
  const cards = named.filter(({ mac, vlan, bond }) => mac !== undefined && !vlan && !bond)
  const keeps = named.length < interfaces.length
  return [
    ...list('dns', [
      element('hostname', hostname),
      ...list(
        'nameservers',
        nameservers.map((each) => element('nameserver', each)),
        true,
      ),
      ...list(
        'searchlist',
        search.map((each) => element('search', each)),
        true,
      ),
    ]),
    ...list(
      'interfaces',
      named.flatMap((each) => interfaceLines(each, network)),
      true,
    ),
    ...list(
      'net-udev',
      cards.flatMap(({ name = '', mac = '' }) => [
        '<rule>',
        `  ${element('name', name)}`,
        '  <rule>ATTR{address}</rule>',
        `  ${element('value', mac)}`,
        '</rule>',
      ]),
      true,
    ),
    ...list('routing', list('routes', named.flatMap(routeLines), true)),
    `<keep_install_network config:type="boolean">${keeps}</keep_install_network>`,
  ]
}

function interfaceLines(each: NetworkInterface, network: Network): string[] {
  const { name = '', ipv4, ipv6, vlan, bond } = each
  const statics = [ipv4, ipv6].filter((family) => typeof family === 'object')
  const [first, ...others] = statics
  const isMember = network.interfaces.some((other) => other.bond?.members.includes(name))
  return [
    '<interface>',
    `  ${element('device', name)}`,
    `  ${element('name', name)}`,
    `  ${element('bootproto', protoOf(each, first !== undefined))}`,
    `  ${element('startmode', isMember ? 'hotplug' : 'auto')}`,
    ...(first
      ? [`  ${element('ipaddr', first.address)}`, `  ${element('prefixlen', String(first.prefix))}`]
      : []),
    ...others.flatMap(({ address, prefix }) => [
      '  <aliases>',
      '    <alias0>',
      `      ${element('IPADDR', address)}`,
      `      ${element('PREFIXLEN', String(prefix))}`,
      '    </alias0>',
      '  </aliases>',
    ]),
    ...(vlan ? [`  ${element('etherdevice', vlan.parent)}`, `  ${element('vlan_id', String(vlan.id))}`] : []),
    ...(bond
      ? [
          '  <bonding_master>yes</bonding_master>',
          `  ${element('bonding_module_opts', `mode=${bond.mode} miimon=100`)}`,
          ...bond.members.map((member, i) => `  ${element(`bonding_slave${i}`, member)}`),
        ]
      : []),
    '</interface>',
  ]
}

/** ifcfg(5) of wicked, BOOTPROTO. */
function protoOf({ ipv4, ipv6 }: NetworkInterface, hasStatic: boolean): string {
  if (hasStatic) return 'static'
  if (ipv4 === undefined) return ipv6 === undefined ? 'none' : 'dhcp6'
  return ipv6 === undefined ? 'dhcp4' : 'dhcp'
}

function routeLines({ name = '', ipv4, ipv6 }: NetworkInterface): string[] {
  return [ipv4, ipv6].flatMap((family) =>
    typeof family === 'object' && family.gateway !== undefined
      ? [
          '<route>',
          '  <destination>default</destination>',
          `  ${element('gateway', family.gateway)}`,
          '  <netmask>-</netmask>',
          `  ${element('device', name)}`,
          '</route>',
        ]
      : [],
  )
}

function element(name: string, text: string): string {
  return `<${name}>${xmlText(text)}</${name}>`
}

/** An element with lines in it; nothing when there are none. */
function list(name: string, lines: readonly string[], isList = false): string[] {
  if (lines.length === 0) return []
  const type = isList ? ' config:type="list"' : ''
  return [`<${name}${type}>`, ...lines.map((line) => `  ${line}`), `</${name}>`]
}
