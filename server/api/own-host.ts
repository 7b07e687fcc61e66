import type { IncomingMessage } from 'node:http'
import { isInNetworks, type Network } from '../core/net/network.ts'

/**
 * The host by which the client asked. A proxy that we trust was asked by the one that counts.
 *
 * @param address The other end of the connection.
 */
export function askedHost(
  { headers }: Pick<IncomingMessage, 'headers'>,
  address: string,
  proxies: readonly Network[],
): string | undefined {
  const isProxied = isInNetworks(address, proxies)
  return lastOf(isProxied ? headers['x-forwarded-host'] : undefined) ?? headers.host
}

/** The last value of a header that proxies add to. */
function lastOf(header: string | readonly string[] | undefined): string | undefined {
  return [header ?? []].flat().join(',').split(',').at(-1)?.trim() || undefined
}
