import { defined } from '../../core/defined.ts'
import type { Network, NetworkInterface } from '../../core/guest/network.ts'

interface Settings {
  readonly [key: string]: unknown
}

/**
 * netplan's YAML as data (netplan.readthedocs.io, "netplan-yaml"), as autoinstall's `network` takes it. A route to
 * `0.0.0.0/0` means the same as one to `default`, which netplan knows since 0.103 only.
 */
export function netplanNetwork({ interfaces, main, nameservers, search }: Network): Settings {
  const dns =
    nameservers.length + search.length === 0
      ? undefined
      : defined({ addresses: unlessEmpty(nameservers), search: unlessEmpty(search) })
  const of = (isKind: (each: NetworkInterface) => boolean, more: (each: NetworkInterface) => Settings) => {
    const found = interfaces.filter(isKind).map((each): [string, Settings] => {
      const own = each === main ? defined({ nameservers: dns }) : {}
      return [idOf(each, interfaces), { ...more(each), ...addresses(each), ...own }]
    })
    return found.length === 0 ? undefined : Object.fromEntries(found)
  }
  return {
    version: 2,
    ...defined({
      ethernets: of((each) => !each.vlan && !each.bond, matching),
      bonds: of(
        (each) => each.bond !== undefined,
        ({ bond }) => ({
          interfaces: bond?.members ?? [],
          parameters: { mode: bond?.mode, 'mii-monitor-interval': 100 },
        }),
      ),
      vlans: of(
        (each) => each.vlan !== undefined,
        ({ vlan }) => ({ id: vlan?.id, link: vlan?.parent }),
      ),
    }),
  }
}

/** Without a name an id of our own, by which netplan's other definitions may refer to it. */
function idOf({ name, ...each }: NetworkInterface, all: readonly NetworkInterface[]): string {
  return name ?? `card${all.findIndex(({ mac }) => mac === each.mac)}`
}

function matching({ name, mac }: NetworkInterface): Settings {
  if (mac === undefined) return name === undefined ? { match: { name: 'e*' } } : {}
  return { match: { macaddress: mac }, ...defined({ 'set-name': name }) }
}

function addresses({ ipv4, ipv6 }: NetworkInterface): Settings {
  const statics = [ipv4, ipv6].filter((family) => typeof family === 'object')
  const routes = statics.flatMap(({ address, gateway }) =>
    gateway === undefined ? [] : [{ to: address.includes(':') ? '::/0' : '0.0.0.0/0', via: gateway }],
  )
  return {
    ...defined({
      addresses: unlessEmpty(statics.map(({ address, prefix }) => `${address}/${prefix}`)),
      routes: unlessEmpty(routes),
    }),
    dhcp4: ipv4 === 'dhcp',
    ...(typeof ipv6 === 'string' && { [ipv6 === 'auto' ? 'accept-ra' : 'dhcp6']: true }),
  }
}

function unlessEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list
}
