import { defined } from '../../core/defined.ts'
import type { Network, NetworkInterface } from '../../core/guest/network.ts'

/**
 * The `network` section of an Agama profile as data (network.schema.json of agama-lib). It knows cards by their names and
 * has no VLANs: what is known by its MAC alone, and VLANs, stay as the kernel arguments set them up.
 */
export function agamaNetwork({ interfaces, main, nameservers, search }: Network): Record<string, unknown> {
  const connections = interfaces.flatMap((each) => {
    if (each.name === undefined || each.vlan) return []
    const dns = each === main ? { nameservers: full(nameservers), dns_searchlist: full(search) } : {}
    return [{ ...connection(each.name, each), ...defined(dns) }]
  })
  return { connections }
}

function connection(name: string, { ipv4, ipv6, bond }: NetworkInterface): Record<string, unknown> {
  const four = typeof ipv4 === 'object' ? ipv4 : undefined
  const six = typeof ipv6 === 'object' ? ipv6 : undefined
  const statics = [four, six].filter((each) => each !== undefined)
  return defined({
    id: name,
    interface: name,
    method4: method(ipv4),
    method6: method(ipv6),
    addresses: full(statics.map(({ address, prefix }) => `${address}/${prefix}`)),
    gateway4: four?.gateway,
    gateway6: six?.gateway,
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
