import { defined } from '../../core/defined.ts'
import { installable } from '../../core/distro/network-args.ts'
import type { Guest } from '../../core/guest/guest.ts'
import { hostnameOf } from '../../core/guest/hostname.ts'
import { networkOf } from '../../core/guest/resolve-network.ts'
import type { Tree } from '../../core/tree/tree.ts'
import { agamaNetwork } from './agama.ts'
import { autoyastNetwork } from './autoyast.ts'
import { kickstartNetwork } from './kickstart.ts'
import { netplanNetwork } from './netplan.ts'
import { preseedNetwork } from './preseed.ts'

/**
 * A guest's network for its template: the interfaces as plain data, and the part of each kind of answer file that sets
 * them up. Undefined when the guest has no network of its own.
 */
export function networkData(guest: Guest, tree: Tree | undefined): Record<string, unknown> | undefined {
  const network = networkOf(guest)
  if (!network) return undefined
  const { interfaces, main, nameservers, search } = network
  const context = installable('netcfg', { network, host: '', byIpv6: false })
  return {
    interfaces,
    ...defined({ interface: main.name ?? main.mac }),
    nameservers,
    search,
    kickstart: kickstartNetwork(network, hostnameOf(guest), tree),
    preseed: preseedNetwork(context),
    netplan: netplanNetwork(network),
    autoyast: autoyastNetwork(network, hostnameOf(guest).split('.')[0] ?? ''),
    agama: agamaNetwork(network),
  }
}
