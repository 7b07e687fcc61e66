import type { KernelArg, ServerUrls } from '../boot/plan.ts'

/**
 * How dracut's network gets its address (dracut.cmdline(7)). With `dhcp`, NetworkManager's initrd generator needs an IPv4
 * address, which a network without IPv4 never gives. `auto6` asks no IPv4 server, and follows the router advertisement:
 * NetworkManager and systemd-networkd then ask DHCPv6 where the router says so. dracut's older scripts do SLAAC alone.
 */
export function dracutAddress({ byIpv6 }: ServerUrls): KernelArg {
  return { key: 'ip', value: byIpv6 ? 'auto6' : 'dhcp' }
}
