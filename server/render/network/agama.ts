import { defined } from '../../core/defined.ts'
import type { Network, NetworkInterface } from '../../core/guest/network.ts'

/**
 * The `network` section of an Agama profile as data (profile.schema.json of Agama 17, which is in 16.0, to 23). A card that
 * has a MAC is known by it: the new system does not give it the name that dracut gave it. A VLAN on such a card, and a card
 * of which neither name nor MAC is known, stay as the kernel arguments set them up.
 */
export function agamaNetwork({ interfaces, main, nameservers, search }: Network): Record<string, unknown> {
  const byMac = interfaces.filter(({ mac, vlan, bond }) => mac !== undefined && !vlan && !bond)
  const connections = interfaces.flatMap((each) => {
    const label = each.name ?? each.mac
    // What a VLAN is on is named by an interface, so not by a MAC.
    const onMac = byMac.some(({ name, mac }) => each.vlan && [name, mac].includes(each.vlan.parent))
    if (label === undefined || onMac) return []
    // 23 calls it dnsSearchList, and still takes the name that 17 knows.
    const dns = each === main ? { nameservers: full(nameservers), dnsSearchlist: full(search) } : {}
    return [{ ...connection(label, each), ...defined(dns) }]
  })
  return { connections }
}

function connection(
  label: string,
  { name, mac, ipv4, ipv6, bond, vlan }: NetworkInterface,
): Record<string, unknown> {
  const four = typeof ipv4 === 'object' ? ipv4 : undefined
  const six = typeof ipv6 === 'object' ? ipv6 : undefined
  const statics = [four, six].filter((each) => each !== undefined)
  return defined({
    id: label,
    // A VLAN or bond has the MAC of what it is made of.
    ...(mac === undefined || vlan || bond ? { interface: name } : { macAddress: mac }),
    method4: method(ipv4),
    method6: method(ipv6),
    addresses: full(statics.map(({ address, prefix }) => `${address}/${prefix}`)),
    gateway4: four?.gateway,
    gateway6: six?.gateway,
    vlan: vlan && { id: vlan.id, parent: vlan.parent },
    bond: bond && { mode: bond.mode, options: 'miimon=100', ports: bond.members },
  })
}

function method(family: NetworkInterface['ipv4' | 'ipv6']): string {
  if (family === undefined) return 'disabled'
  return typeof family === 'string' ? 'auto' : 'manual'
}

function full<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list
}
