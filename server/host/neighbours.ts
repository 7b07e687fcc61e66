import { readFile } from 'node:fs/promises'

/** Flag of a complete entry (linux/if_arp.h, ATF_COM): an incomplete one has no address of hardware yet. */
const complete = 0x2

/**
 * The MAC address that the kernel knows for an IPv4 address; undefined for a machine that is not on a network of this
 * host, or that has not been spoken to. Of IPv6 the kernel tells this by netlink alone.
 *
 * @param table For tests. Default: the table of this network namespace (proc(5), /proc/net/arp).
 */
export async function neighbourMac(address: string, table = '/proc/net/arp'): Promise<string | undefined> {
  const text = await readFile(table, 'utf8').catch(() => '')
  for (const line of text.split('\n')) {
    const [ip, , flags = '', mac] = line.split(/\s+/)
    if (ip === address && (Number(flags) & complete) !== 0) return mac
  }
  return undefined
}
