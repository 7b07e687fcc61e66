import type { Command } from 'commander'
import { packageFamily } from '../../host/package-family.ts'
import { type LoaderReport, loaderReport, loaderTable } from '../../namespace/loader-report.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json } from '../output/table.ts'
import { serverOf } from '../remote/connect.ts'

export function registerLoaders(program: Command, io: CliIo): void {
  program
    .command('loaders')
    .description('list the boot loaders: where each comes from, and which package has the missing ones')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExit code 0: BIOS and UEFI x64 machines can be booted; 3: they cannot.')
    .action(async (options: CommonOptions) => {
      const server = await serverOf(options, io)
      const report = server
        ? ((await server.call('getLoaders', {})) as LoaderReport)
        : await loaderReport(await readSnapshot(options, io), await packageFamily())
      io.out(options.json ? json(report) : loaderTable(report))
      const needed = report.firmware.filter(({ firmware }) => firmware === 'bios' || firmware === 'uefi-x64')
      if (needed.some(({ loader }) => loader === undefined)) io.exit(exitCodes.notFound)
    })
}
