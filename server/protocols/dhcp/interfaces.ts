import type { NetworkInterfaceInfo } from 'node:os'
import { isWildcard } from '../listen-addresses.ts'

/** A network interface of this machine that we reply on, with the one address that we reply from there. */
export interface ServedInterface {
  readonly name: string
  /** IPv4. */
  readonly address: string
}

/** As `os.networkInterfaces()` lists them: addresses by the name of the interface. */
export type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>

export interface InterfaceOptions {
  /** Names of interfaces; empty means all but loopback. */
  readonly interfaces: readonly string[]
  /** `0.0.0.0` or `::` for every address, or the one address to reply from. */
  readonly bind: string
}

/**
 * The interfaces to reply on, each with its first IPv4 address: a client must get one reply and not one for
 * each alias. Interfaces without an IPv4 address are left out.
 */
export function servedInterfaces(options: InterfaceOptions, interfaces: Interfaces): ServedInterface[] {
  const { bind } = options
  const wildcard = isWildcard(bind)
  const bindAddress = bind === 'localhost' ? '127.0.0.1' : bind
  const served: ServedInterface[] = []
  for (const [name, infos = []] of Object.entries(interfaces)) {
    const isNamed = options.interfaces.includes(name)
    if (options.interfaces.length > 0 && !isNamed) continue
    // With a wildcard, loopback is served only when it is named.
    const info = infos.find(
      ({ family, internal, address }) =>
        family === 'IPv4' && (wildcard ? isNamed || !internal : address === bindAddress),
    )
    if (info) served.push({ name, address: info.address })
  }
  return served
}
