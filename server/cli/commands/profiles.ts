import type { Command } from 'commander'
import type { Profile } from '../../core/guest/guest.ts'
import { selectorLine } from '../../core/guest/selectors.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json, table } from '../output/table.ts'
import { registerDefinitionVerbs } from './definition-verbs.ts'
import { registerRename } from './rename.ts'

export function registerProfiles(program: Command, io: CliIo): void {
  const profiles = program
    .command('profiles')
    .description('list the profiles: what each inherits, how many guests have it, and where it stands')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((options: CommonOptions) => listProfiles(options, io))
  registerDefinitionVerbs(profiles, 'profile', io)
  registerRename(profiles, 'profile', io)
}

async function listProfiles(options: CommonOptions, io: CliIo): Promise<void> {
  const { profiles, guests } = await readSnapshot(options, io)
  const all = [...profiles.values()].map(({ name, inherits, selector, definedAt }: Profile) => ({
    name,
    inherits,
    guests: guests.all.filter((guest) => guest.profiles.includes(name)).length,
    auto: selector?.auto ?? null,
    match: selector ? selectorLine(selector) : null,
    definedAt,
  }))
  if (options.json) io.out(json(all))
  else if (all.length === 0) io.out('no profiles yet: treeboot profiles add NAME makes one\n')
  else {
    const rows = all.map(({ name, inherits, guests: count, auto, match, definedAt }) => [
      name,
      inherits.join(', ') || '-',
      String(count),
      auto === null ? '-' : `${auto}: ${match}`,
      definedAt,
    ])
    io.out(table([['PROFILE', 'INHERITS', 'GUESTS', 'UNKNOWN MACHINES', 'DEFINED AT'], ...rows]))
  }
  if (all.length === 0) io.exit(exitCodes.notFound)
}
