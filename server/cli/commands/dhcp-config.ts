import { Argument, type Command } from 'commander'
import type { Config } from '../../config/schema.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { bootFileName } from '../../core/loader/choice.ts'
import { type DhcpPlan, dhcpClientKinds, missingText } from '../../core/loader/dhcp-plan.ts'
import { restartSecondsOf } from '../../core/loader/loaders.ts'
import { canonicalIp, isLinkLocal } from '../../core/net/address.ts'
import { serviceTable } from '../../core/services.ts'
import { bootInputs } from '../../machines/decide.ts'
import { renderDnsmasq } from '../../render/dhcp-dnsmasq.ts'
import { renderIsc } from '../../render/dhcp-isc.ts'
import { renderKea } from '../../render/dhcp-kea.ts'
import { renderDnsmasq6, renderIsc6, renderKea6 } from '../../render/dhcp-v6.ts'
import { cliRequester, expectedServices } from '../cli-requester.ts'
import { packageFamily } from '../host-system.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json } from '../output/table.ts'
import { loaderReport } from './loaders.ts'

/** For an IPv4 address of treeboot, and for an IPv6 address. */
const renderers = {
  dnsmasq: [renderDnsmasq, renderDnsmasq6],
  isc: [renderIsc, renderIsc6],
  kea: [renderKea, renderKea6],
} as const

type ServerName = keyof typeof renderers

interface DhcpConfigOptions extends CommonOptions {
  readonly address?: string
}

export function registerDhcpConfig(program: Command, io: CliIo): void {
  program
    .command('dhcp-config')
    .description(
      'print the configuration with which another DHCP server boots machines from treeboot, without ProxyDHCP',
    )
    .addArgument(new Argument('<server>', 'which DHCP server').choices(Object.keys(renderers)))
    .option(
      '--address <ip>',
      'the address by which the machines reach treeboot; with an IPv6 address, the lines are for DHCPv6 (default: the first address of this host)',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (server: ServerName, options: DhcpConfigOptions) => {
      const { plan, notes } = await dhcpPlan(options, io)
      for (const note of notes) io.err(`treeboot: ${note}\n`)
      const [forIpv4, forIpv6] = renderers[server]
      io.out(options.json ? json(plan) : (isIpv6(plan) ? forIpv6 : forIpv4)(plan))
      const missing = missingText(plan)
      if (missing !== undefined) io.err(`treeboot: ${missing.replace(/^treeboot /, '')}\n`)
      if (plan.rules.length === 0) io.exit(exitCodes.notFound)
    })
}

async function dhcpPlan(
  options: DhcpConfigOptions,
  io: CliIo,
): Promise<{ plan: DhcpPlan; notes: readonly string[] }> {
  const snapshot = await readSnapshot(options, io)
  const { config } = snapshot
  const who = cliRequester(config)
  const address = reachableAddress(options.address ?? who.localAddress ?? '')
  const { urls } = bootInputs({
    snapshot,
    services: expectedServices(config),
    who: { ...who, localAddress: address },
  })
  const reach = reachable(config)
  const scriptBase = reach.http ? urls.http : urls.tftp
  if (scriptBase === undefined)
    throw new Failure('bad-request', `machines can load nothing from treeboot: ${reach.notes.join('; ')}`)
  const report = await loaderReport(snapshot, await packageFamily())
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
    `${text} ${why}: name with --address an IPv4 address of treeboot (for DHCP) or an IPv6 address (for DHCPv6) that machines reach`,
  )
}

function whyUnreachable(address: string): string | undefined {
  if (address === '::1' || address === '::') return 'is not an address that other machines reach'
  if (isLinkLocal(address)) return 'is a link-local address, which means another machine on each link'
  return undefined
}

/** Whether machines can load by HTTP and by TFTP, and notes for the operator on what is left out and why. */
function reachable({ http, tftp, server }: Config): { http: boolean; tftp: boolean; notes: string[] } {
  const notes: string[] = []
  // `server.url` may be the address of a proxy, which machines reach even while our own HTTP service is closed.
  const byHttp = server.url !== undefined || (http.enabled && http.port !== 0)
  if (!byHttp) {
    const why = http.enabled
      ? 'http.port is 0, so the port is not known before treeboot starts'
      : 'http.enabled is false'
    notes.push(`${why}: UEFI HTTP Boot is left out, and iPXE gets its script by TFTP`)
  }
  const byTftp = tftp.enabled && (tftp.port === serviceTable.tftp.standardPort || tftp.port === 'auto')
  if (!byTftp) {
    const why = tftp.enabled ? `tftp.port is ${tftp.port}` : 'tftp.enabled is false'
    notes.push(`${why}: everything that loads by TFTP is left out, because firmware uses only port 69`)
  }
  return { http: byHttp, tftp: byTftp, notes }
}
