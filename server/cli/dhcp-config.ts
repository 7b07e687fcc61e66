import { Argument, type Command } from 'commander'
import { type DhcpPlan, dhcpKinds } from '../core/boot/dhcp-plan.ts'
import { bootFileName } from '../core/boot/loader-choice.ts'
import { worldFor } from '../publish/loader-plan.ts'
import { renderDnsmasq } from '../render/dhcp-dnsmasq.ts'
import { renderIsc } from '../render/dhcp-isc.ts'
import { renderKea } from '../render/dhcp-kea.ts'
import { packageFamily } from './host-system.ts'
import { type CliIo, exitCodes } from './io.ts'
import { loaderReport } from './loaders.ts'
import { type CommonOptions, configOption, jsonOption, oneShot } from './options.ts'
import { expectedDoors, localRequester } from './standpoint.ts'
import { json } from './table.ts'

const renderers = { dnsmasq: renderDnsmasq, isc: renderIsc, kea: renderKea } as const

type ServerName = keyof typeof renderers

interface DhcpConfigOptions extends CommonOptions {
  readonly address?: string
}

export function registerDhcpConfig(program: Command, io: CliIo): void {
  program
    .command('dhcp-config')
    .description('what a DHCP server must be told so that machines boot from here without ProxyDHCP')
    .addArgument(new Argument('<server>', 'which DHCP server').choices(Object.keys(renderers)))
    .option('--address <ip>', 'our address as the machines see it (default: the first one of this host)')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (server: ServerName, options: DhcpConfigOptions) => {
      const plan = await dhcpPlan(options, io)
      io.out(options.json ? json(plan) : renderers[server](plan))
      for (const firmware of plan.missing)
        io.err(`treeboot: no loader for ${firmware}; see treeboot loaders\n`)
      if (plan.rules.length === 0) io.exit(exitCodes.none)
    })
}

async function dhcpPlan(options: DhcpConfigOptions, io: CliIo): Promise<DhcpPlan> {
  const snapshot = await oneShot(options, io)
  const who = { ...localRequester(), ...(options.address !== undefined && { localAddress: options.address }) }
  const { urls } = worldFor(snapshot, expectedDoors(snapshot.config), who)
  const report = await loaderReport(snapshot, await packageFamily())
  const sent = new Map(report.firmware.map(({ firmware, loader }) => [firmware, loader]))
  const rules = dhcpKinds.flatMap((kind) => {
    const loader = sent.get(kind.firmware)
    return loader === undefined ? [] : [{ ...kind, bootFile: bootFileName(kind.firmware, loader, urls.http) }]
  })
  return {
    server: who.localAddress ?? '',
    scriptUrl: `${urls.http}/boot.ipxe`,
    rules,
    missing: dhcpKinds.map(({ firmware }) => firmware).filter((firmware) => sent.get(firmware) === undefined),
  }
}
