import { Argument, type Command } from 'commander'
import { defined } from '../../core/defined.ts'
import { type DhcpPlan, missingText } from '../../core/loader/dhcp-plan.ts'
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
import { serverOf } from '../remote/connect.ts'

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
    .action((name: DhcpServerName, options: DhcpConfigOptions) => dhcpConfigFor(name, options, io))
}

async function dhcpConfigFor(name: DhcpServerName, options: DhcpConfigOptions, io: CliIo): Promise<void> {
  const { plan, notes } = await planFor(options, io)
  for (const note of notes) io.err(`treeboot: ${note}\n`)
  io.out(options.json ? json(plan) : renderDhcpConfig(name, plan))
  const missing = missingText(plan)
  if (missing !== undefined) io.err(`treeboot: ${missing.replace(/^treeboot /, '')}\n`)
  if (plan.rules.length === 0) io.exit(exitCodes.notFound)
}

async function planFor(
  options: DhcpConfigOptions,
  io: CliIo,
): Promise<{ readonly plan: DhcpPlan; readonly notes: readonly string[] }> {
  const address = defined({ address: options.address })
  const server = await serverOf(options, io)
  if (server) {
    const { notes, ...plan } = await server.call('getDhcpRules', { query: address })
    // The last note says what `missing` says.
    return { plan: plan as DhcpPlan, notes: notes.filter((note) => note !== missingText(plan as DhcpPlan)) }
  }
  const snapshot = await readSnapshot(options, io)
  const services = expectedServices(snapshot.config)
  return dhcpConfig({ snapshot, services, family: await packageFamily(), ...address })
}
