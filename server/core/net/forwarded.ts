import { canonicalIp } from './address.ts'
import { isInNetworks, type Network } from './network.ts'

/** A request passes few proxies. More addresses than this are not looked at. */
const mostProxies = 16

/**
 * The address of the client for which trusted proxies sent a request: the last address of `X-Forwarded-For` that
 * is not one of them. Each proxy appends the address that it was asked from, so what stands further left is only
 * what a client wrote. Undefined when the header names none, or something that is not an address.
 */
export function forwardedClient(
  header: string | readonly string[] | undefined,
  proxies: readonly Network[],
): string | undefined {
  const addresses = [header ?? ''].flat().join(',').split(',').slice(-mostProxies).reverse()
  for (const text of addresses) {
    // Some proxies append the port of the client.
    const address = canonicalIp(text.trim().replace(/^(\d+\.\d+\.\d+\.\d+):\d+$|^(\[.*\]):\d+$/, '$1$2'))
    if (address === undefined) return undefined
    if (!isInNetworks(address, proxies)) return address
  }
  return undefined
}
