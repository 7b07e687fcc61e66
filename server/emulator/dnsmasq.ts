import { type Child, startChild } from './child.ts'
import type { Host } from './lan.ts'
import type { UndoStack } from './undo.ts'

/** What the DHCP server of the network sends besides an address. On most networks it sends only addresses. */
export interface DhcpAdvice {
  /** Boot file for firmware: a TFTP path on `nextServer`. */
  readonly bootFile?: string
  readonly nextServer?: string
  /** Boot file for a client that is iPXE already (option 175): usually the URL of a script. */
  readonly ipxeFile?: string
  /** A configuration file of dnsmasq, for settings without a key here. */
  readonly configFile?: string
  /** URL for UEFI HTTP Boot clients (option 60 `HTTPClient`). */
  readonly httpUrl?: string
  /**
   * The address that is sent as router and name server. Without them debian-installer stops and asks. It need
   * not be the address of any host. Left out by default, because after UEFI HTTP Boot GRUB 2.06 does not find
   * its configuration when it was sent a name server.
   */
  readonly gateway?: string
}

/**
 * Starts a DHCP server that gives out the addresses .100 to .199, in the place of a network's existing DHCP
 * server.
 */
export async function startDnsmasq(
  undo: UndoStack,
  at: Host,
  folder: string,
  advice: DhcpAdvice = {},
): Promise<Child> {
  const net = at.address.replace(/\.\d+$/, '')
  const child = startChild(
    undo,
    at.inside([
      'dnsmasq',
      '--keep-in-foreground',
      `--conf-file=${advice.configFile ?? '/dev/null'}`,
      '--port=0', // no DNS
      // A change of user would cancel the death signal that `startChild` sets (prctl(2)).
      '--user=root',
      `--pid-file=${folder}/dnsmasq.pid`,
      `--dhcp-leasefile=${folder}/dnsmasq.leases`,
      '--log-facility=-',
      '--log-dhcp',
      '--dhcp-authoritative',
      // The ping before each offer costs three seconds for each boot, and no other host uses these addresses.
      '--no-ping',
      `--dhcp-range=${net}.100,${net}.199,255.255.255.0,1h`,
      // Without these two options dnsmasq sends its own address as router (3) and name server (6). An option
      // without a value is not sent at all.
      ...[3, 6].map((option) => `--dhcp-option=${option}${advice.gateway ? `,${advice.gateway}` : ''}`),
      // iPXE asks for an IPv6 router and waits 13 s for a reply: the reply of a router without a route ends that.
      '--enable-ra',
      '--ra-param=eth0,0,0',
      '--dhcp-range=::,constructor:eth0,ra-only',
      ...bootOptions(advice),
    ]),
  )
  await child.output.waitFor(/DHCP, IP range/, 10_000)
  return child
}

function bootOptions({ bootFile, nextServer = '', ipxeFile, httpUrl }: DhcpAdvice): string[] {
  const options: string[] = []
  if (ipxeFile !== undefined) {
    options.push('--dhcp-match=set:ipxe,175', `--dhcp-boot=tag:ipxe,${ipxeFile},,${nextServer}`)
  }
  if (httpUrl !== undefined) {
    options.push(
      '--dhcp-vendorclass=set:http,HTTPClient',
      '--dhcp-option-force=tag:http,60,HTTPClient',
      `--dhcp-boot=tag:http,${httpUrl},,${nextServer}`,
    )
  }
  if (bootFile !== undefined) options.push(`--dhcp-boot=tag:!ipxe,tag:!http,${bootFile},,${nextServer}`)
  return options
}
