import { Argument, type Command } from 'commander'
import { defined } from '../../core/defined.ts'
import { missingText } from '../../core/loader/dhcp-plan.ts'
import { packageFamily } from '../../host/package-family.ts'
import {
  type DhcpServerName,
  dhcpConfig,
  dhcpServerNames,
  renderDhcpConfig,
} from '../../namespace/dhcp-config.ts'
import { expectedServices } from '../cli-requester.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json } from '../output/table.ts'

interface DhcpConfigOptions extends CommonOptions {
  readonly address?: string
}

export function registerDhcpConfig(program: Command, io: CliIo): void {
  program
    .command('dhcp-config')
    .description(
      'print the configuration with which another DHCP server boots machines from treeboot, without ProxyDHCP',
    )
    .addArgument(new Argument('<server>', 'which DHCP server').choices(dhcpServerNames))
    .option(
      '--address <ip>',
      'the address by which the machines reach treeboot; with an IPv6 address, the lines are for DHCPv6 (default: the first address of this host)',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (server: DhcpServerName, options: DhcpConfigOptions) => {
      const snapshot = await readSnapshot(options, io)
      const services = expectedServices(snapshot.config)
      const family = await packageFamily()
      const { plan, notes } = await dhcpConfig({
        snapshot,
        services,
        family,
        ...defined({ address: options.address }),
      })
      for (const note of notes) io.err(`treeboot: ${note}\n`)
      io.out(options.json ? json(plan) : renderDhcpConfig(server, plan))
      const missing = missingText(plan)
      if (missing !== undefined) io.err(`treeboot: ${missing.replace(/^treeboot /, '')}\n`)
      if (plan.rules.length === 0) io.exit(exitCodes.notFound)
    })
}
