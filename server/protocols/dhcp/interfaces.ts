import type { NetworkInterfaceInfo } from 'node:os'

/** One IPv4 address of ours on a network that we answer on. */
export interface Side {
  readonly interface: string
  readonly address: string
}

export type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>

export interface SideWishes {
  /** Names of interfaces; empty means every one but loopback. */
  readonly interfaces: readonly string[]
  /** `0.0.0.0` or `::` for every address, or the one to answer from. */
  readonly bind: string
}

/**
 * The sides of this machine: one address for each interface, the first of it, for a client must hear one answer and not one
 * for each alias. Interfaces without an IPv4 address have no side.
 */
export function sidesOf(wishes: SideWishes, interfaces: Interfaces): Side[] {
  const wildcard = wishes.bind === '0.0.0.0' || wishes.bind === '::'
  const sides: Side[] = []
  for (const [name, infos = []] of Object.entries(interfaces)) {
    const wanted = wishes.interfaces.length === 0 ? undefined : wishes.interfaces.includes(name)
    if (wanted === false) continue
    const info = infos.find(
      ({ family, internal, address }) =>
        family === 'IPv4' &&
        (wildcard ? wanted === true || !internal : address === wishes.bind || wishes.bind === 'localhost'),
    )
    if (info) sides.push({ interface: name, address: info.address })
  }
  return sides
}
