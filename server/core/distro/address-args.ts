import type { KernelArg, ServerUrls } from '../boot/plan.ts'

/** How an installer gets an address when the guest has no `network:`, by the family by which it reaches treeboot. */

type Family = Pick<ServerUrls, 'byIpv6'>

/**
 * dracut.cmdline(7). With `dhcp`, NetworkManager's initrd generator needs an IPv4 address, which a network without IPv4
 * never gives. `auto6` asks no IPv4 server, and follows the router advertisement: NetworkManager and systemd-networkd
 * then ask DHCPv6 where the router says so. dracut's older scripts do SLAAC alone.
 */
export function dracutAddress({ byIpv6 }: Family): KernelArg {
  return { key: 'ip', value: byIpv6 ? 'auto6' : 'dhcp' }
}

/**
 * linuxrc.html, "ipv6only", since SUSE Linux 11.1. Without it linuxrc asks DHCP of both families (`net_dhcp_type` in
 * net.c), and before 12 DHCPv4 alone.
 */
export function linuxrcAddress({ byIpv6 }: Family): KernelArg[] {
  return byIpv6 ? [{ key: 'ipv6only', value: '1' }] : []
}

/**
 * Ubuntu's initramfs-tools, since 16.04: `ip6=` beside `ip=`, which Debian's does not know. With `ip6=dhcp` alone it waits
 * for DHCPv4, too, so MAAS boots with both (canonical/cloud-init #2756).
 */
export function casperAddress({ byIpv6 }: Family): KernelArg[] {
  if (!byIpv6) return [...byDhcp]
  return [
    { key: 'ip', value: 'off' },
    { key: 'ip6', value: 'dhcp' },
  ]
}

export const byDhcp: readonly KernelArg[] = [{ key: 'ip', value: 'dhcp' }]
