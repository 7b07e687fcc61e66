import { networkInterfaces } from 'node:os'
import type { Snapshot } from '../catalog/snapshot.ts'
import { isLinkLocal } from '../core/net/address.ts'
import { internalRequester, type Requester } from '../core/net/requester.ts'

/**
 * The client that commands and checks decide for. It is treeboot itself, so that nothing is counted for a machine; but
 * it reached us as a machine on our network would: by the address that HTTP (or else TFTP) is bound to, from which
 * URLs are made, or by our first network address when that is a wildcard.
 */
export function ownRequester({ http, tftp }: Pick<Snapshot['config'], 'http' | 'tftp'>): Requester {
  const { bind } = http.enabled ? http : tftp
  if (bind !== '0.0.0.0' && bind !== '::') return { ...internalRequester, localAddress: bind }
  return { ...internalRequester, localAddress: firstAddress(), isGuess: true }
}

/**
 * The same client, as if it had reached us by an address that can stand in a URL. A link-local address cannot: it needs
 * the name of an interface of the client. Another IPv6 address of our interface takes its place, or its IPv4 address.
 * With neither it stays.
 */
export function byUsableAddress<Who extends { readonly localAddress?: string }>(
  who: Who,
  interfaces: () => ReturnType<typeof networkInterfaces> = networkInterfaces,
): Who {
  const { localAddress } = who
  if (localAddress === undefined || !isLinkLocal(localAddress)) return who
  const beside = Object.values(interfaces())
    .map((each) => each?.map(({ address }) => address) ?? [])
    .find((addresses) => addresses.includes(localAddress))
    ?.filter((address) => !isLinkLocal(address))
  const usable = beside?.find((address) => address.includes(':')) ?? beside?.[0]
  return usable === undefined ? who : { ...who, localAddress: usable }
}

/**
 * The first IPv4 address of this machine that is not a loopback address; without one, the first IPv6 address that other
 * machines can use; else 127.0.0.1. A link-local address (fe80::/10) is never taken: it means nothing without an
 * interface of the machine that uses it.
 */
export function firstAddress(interfaces = networkInterfaces()): string {
  const addresses = Object.values(interfaces).flatMap((each) => each ?? [])
  const outside = addresses.filter(({ address, internal }) => !internal && !isLinkLocal(address))
  const lan = outside.find(({ family }) => family === 'IPv4') ?? outside[0]
  return lan?.address ?? '127.0.0.1'
}
