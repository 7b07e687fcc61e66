import type { Snapshot } from '../catalog/snapshot.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import { bootFileName } from '../core/loader/choice.ts'
import { type DhcpPlan, dhcpClientKinds } from '../core/loader/dhcp-plan.ts'
import { restartSecondsOf } from '../core/loader/loaders.ts'
import { canonicalIp, isLinkLocal } from '../core/net/address.ts'
import { serviceTable } from '../core/services.ts'
import type { PackageFamily } from '../host/package-family.ts'
import { bootInputs } from '../machines/decide.ts'
import { ownRequester } from '../machines/own-requester.ts'
import { renderDnsmasq } from '../render/dhcp-dnsmasq.ts'
import { renderIsc } from '../render/dhcp-isc.ts'
import { renderKea } from '../render/dhcp-kea.ts'
import { renderDnsmasq6, renderIsc6, renderKea6 } from '../render/dhcp-v6.ts'
import { loaderReport } from './loader-report.ts'

/** For an IPv4 address of treeboot, and for an IPv6 address. */
const renderers = {
  dnsmasq: [renderDnsmasq, renderDnsmasq6],
  isc: [renderIsc, renderIsc6],
  kea: [renderKea, renderKea6],
} as const

export type DhcpServerName = keyof typeof renderers

export const dhcpServerNames = Object.keys(renderers) as readonly DhcpServerName[]

/** The configuration of another DHCP server with which machines boot from treeboot. */
export function renderDhcpConfig(server: DhcpServerName, plan: DhcpPlan): string {
  const [forIpv4, forIpv6] = renderers[server]
  return (isIpv6(plan) ? forIpv6 : forIpv4)(plan)
}

export interface DhcpConfigParts {
  readonly snapshot: Snapshot
  readonly services: OpenServices
  /** Whether `services` are open now. Default: they are what a server is expected to open. */
  readonly isRunning?: boolean
  /** By which machines reach treeboot. Default: the first address of this machine. */
  readonly address?: string
  /** Which packages this system has. */
  readonly family: PackageFamily | undefined
}

export interface DhcpConfig {
  readonly plan: DhcpPlan
  /** For the operator: what is left out, and why. */
  readonly notes: readonly string[]
}

/**
 * What another DHCP server must tell each kind of machine.
 *
 * @throws Failure `bad-request` for an address that machines cannot reach, and when they can load nothing.
 */
export async function dhcpConfig(parts: DhcpConfigParts): Promise<DhcpConfig> {
  const { snapshot, services, family } = parts
  const { config } = snapshot
  const who = ownRequester(config)
  const address = reachableAddress(parts.address ?? who.localAddress ?? '')
  const { urls } = bootInputs({
    snapshot,
    services,
    who: { ...who, localAddress: address },
  })
  const reach = reachable(parts)
  const scriptBase = reach.http ? urls.http : urls.tftp
  if (scriptBase === undefined)
    throw new Failure('bad-request', `machines can load nothing from treeboot: ${reach.notes.join('; ')}`)
  const report = await loaderReport(snapshot, family)
  /** By firmware: the loader that such a machine would be sent now. */
  const loaderFor = new Map(report.firmware.map(({ firmware, loader }) => [firmware, loader]))
  // A BIOS knows no IPv6.
  const kinds = dhcpClientKinds.filter(({ firmware }) => !(address.includes(':') && firmware === 'bios'))
  const rules = kinds.flatMap((clientKind) => {
    const loader = loaderFor.get(clientKind.firmware)
    if (loader === undefined || !(clientKind.http ? reach.http : reach.tftp)) return []
    // A URL for UEFI HTTP Boot, else a path for TFTP.
    const file = bootFileName(clientKind.firmware, loader, urls.http)
    // EDK2 takes no host name in the URL of DHCPv6, so `server.url` does not count here.
    const needsUrl = address.includes(':') && !clientKind.http
    const bootFile = needsUrl ? `tftp://[${address}]/${file}` : file
    return [{ ...clientKind, bootFile, ...defined({ restartSeconds: restartSecondsOf(`/${file}`) }) }]
  })
  const plan = {
    server: address,
    scriptUrl: `${scriptBase}/boot.ipxe`,
    rules,
    missing: kinds
      .map(({ firmware }) => firmware)
      .filter((firmware) => loaderFor.get(firmware) === undefined),
  }
  return { plan, notes: reach.notes }
}

function isIpv6({ server }: DhcpPlan): boolean {
  return server.includes(':')
}

/** @throws Failure for a text that is no address, or one by which no other machine reaches treeboot. */
function reachableAddress(text: string): string {
  const address = canonicalIp(text)
  const why = address === undefined ? 'is not an IP address' : whyUnreachable(address)
  if (address !== undefined && why === undefined) return address
  throw new Failure(
    'bad-request',
    `${text} ${why}: say with --address (address=) an IPv4 address of treeboot (for DHCP) or an IPv6 address (for DHCPv6) that machines reach`,
  )
}

function whyUnreachable(address: string): string | undefined {
  if (address === '::1' || address === '::') return 'is not an address that other machines reach'
  if (isLinkLocal(address)) return 'is a link-local address, which means another machine on each link'
  return undefined
}

/** Whether machines can load by HTTP and by TFTP, and notes for the operator on what is left out and why. */
function reachable(parts: DhcpConfigParts) {
  const [noHttp, noTftp] = [whyNoHttp(parts), whyNoTftp(parts)]
  return {
    http: noHttp === undefined,
    tftp: noTftp === undefined,
    notes: [
      ...(noHttp ? [`${noHttp}: UEFI HTTP Boot is left out, and iPXE gets its script by TFTP`] : []),
      ...(noTftp
        ? [`${noTftp}: everything that loads by TFTP is left out, because firmware uses only port 69`]
        : []),
    ],
  }
}

function whyNoHttp({ snapshot: { config }, services, isRunning }: DhcpConfigParts): string | undefined {
  // It may be the address of a proxy, which machines reach even while our own HTTP service is closed.
  if (config.server.url !== undefined) return undefined
  if (!config.http.enabled) return 'http.enabled is false'
  if (isRunning) return services.http ? undefined : 'the HTTP service is closed'
  return config.http.port === 0
    ? 'http.port is 0, so the port is not known before treeboot starts'
    : undefined
}

function whyNoTftp({ snapshot: { config }, services, isRunning }: DhcpConfigParts): string | undefined {
  if (!config.tftp.enabled) return 'tftp.enabled is false'
  const port = isRunning ? services.tftp?.port : config.tftp.port
  if (port === serviceTable.tftp.standardPort || port === 'auto') return undefined
  return port === undefined ? 'the TFTP service is closed' : `tftp.port is ${port}`
}
