import { createSocket } from 'node:dgram'

/**
 * The address to bind for a configured one. `::` is every address of the machine; where the system has no IPv6, that is
 * `0.0.0.0`. An address that is written in full stays what it is.
 */
export async function bindHere(
  bind: string,
  hasIpv6: () => Promise<boolean> = systemHasIpv6,
): Promise<string> {
  return bind !== '::' || (await hasIpv6()) ? bind : '0.0.0.0'
}

/**
 * Whether a socket can be bound to `::`. Asked of the system, because the reasons against it are many: `ipv6.disable=1`
 * on the kernel's command line, a kernel without it, systemd's RestrictAddressFamilies, a seccomp filter. With the sysctl
 * `disable_ipv6` alone such a socket can be bound, and it serves IPv4.
 */
function systemHasIpv6(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp6')
    const end = (result: boolean): void => {
      socket.close()
      resolve(result)
    }
    socket.once('error', () => end(false))
    socket.bind({ address: '::', port: 0 }, () => end(true))
  })
}
