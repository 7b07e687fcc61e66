import { type Child, startChild } from './child.ts'
import type { Host, Lan } from './lan.ts'
import type { UndoStack } from './undo.ts'

/** What the network's DHCP server tells besides an address. Nothing, on most networks. */
export interface DhcpAdvice {
  /** Boot file for firmware: a TFTP path on `nextServer`. */
  readonly bootFile?: string
  readonly nextServer?: string
  /** Boot file for a client that is iPXE already (option 175): usually the URL of a script. */
  readonly ipxeFile?: string
  /** Lines of its own, for what these words cannot say. */
  readonly configFile?: string
  /** URL for UEFI HTTP Boot clients (option 60 `HTTPClient`). */
  readonly httpUrl?: string
  /**
   * Names this address as router and name server, without which debian-installer stops and asks. Nothing need be
   * there. Off by default: after UEFI HTTP Boot a name server keeps GRUB 2.06 from finding its configuration.
   */
  readonly gateway?: string
}

/** Gives addresses .100 to .199 of the network, like the DHCP server that is already there in every network. */
export async function startDnsmasq(
  undo: UndoStack,
  at: Lan | Host,
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
      '--port=0',
      '--user=root',
      `--pid-file=${folder}/dnsmasq.pid`,
      `--dhcp-leasefile=${folder}/dnsmasq.leases`,
      '--log-facility=-',
      '--log-dhcp',
      '--dhcp-authoritative',
      // Its ping before each offer costs three seconds a boot, and here nobody squats on an address.
      '--no-ping',
      `--dhcp-range=${net}.100,${net}.199,255.255.255.0,1h`,
      // Without these two, dnsmasq names itself as router and name server.
      ...[3, 6].map((option) => `--dhcp-option=${option}${advice.gateway ? `,${advice.gateway}` : ''}`),
      // iPXE asks for an IPv6 router and waits 13 s for an answer: one that leads nowhere sets it free.
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
