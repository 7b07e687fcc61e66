import type { NetworkInterfaceInfo } from 'node:os'
import { isWildcard } from '../listen-addresses.ts'

/** A side of this machine: an interface that we answer on, with our IPv4 address there. */
export interface Side {
  readonly interface: string
  readonly address: string
}

export type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>

export interface SideOptions {
  /** Names of interfaces; empty means all but loopback. */
  readonly interfaces: readonly string[]
  /** `0.0.0.0` or `::` for every address, or the one to answer from. */
  readonly bind: string
}

/**
 * The sides of this machine: the first address of each interface, because a client must get one reply and not
 * one for each alias. Interfaces without an IPv4 address have no side.
 */
export function sidesOf(options: SideOptions, interfaces: Interfaces): Side[] {
  const { bind } = options
  const wildcard = isWildcard(bind)
  const sides: Side[] = []
  for (const [name, infos = []] of Object.entries(interfaces)) {
    const wanted = options.interfaces.length === 0 ? undefined : options.interfaces.includes(name)
    if (wanted === false) continue
    const info = infos.find(
      ({ family, internal, address }) =>
        family === 'IPv4' &&
        (wildcard ? wanted === true || !internal : address === bind || bind === 'localhost'),
    )
    if (info) sides.push({ interface: name, address: info.address })
  }
  return sides
}
