import type { Command } from 'commander'
import type { ProfileBody } from '../../api/types.ts'
import { selectorLine } from '../../core/guest/selectors.ts'
import { definitionsHere } from '../definition-change.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json, sortedBy, table } from '../output/table.ts'
import { serverOf } from '../remote/connect.ts'
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

/** What is printed of one. */
interface ListedProfile {
  readonly name: string
  readonly inherits: readonly string[]
  readonly guests: number
  /** What becomes of unknown machines that it selects; null where it selects none. */
  readonly auto: string | null
  /** Which machines these are. */
  readonly match: string | null
  readonly definedAt: string
}

async function listProfiles(options: CommonOptions, io: CliIo): Promise<void> {
  const all = await profiles(options, io)
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

/** By their names. */
async function profiles(options: CommonOptions, io: CliIo): Promise<readonly ListedProfile[]> {
  const server = await serverOf(options, io)
  if (server) return (await server.all('listProfiles', {})).map(listed)
  const definitions = await definitionsHere(options, io)
  const snapshot = await readSnapshot(options, io)
  const all = (await definitions.list('profile')).map(({ name, where }) => {
    const guests = snapshot.guests.all.filter((guest) => guest.profiles.includes(name)).length
    const { inherits = [], selector, definedAt = where } = snapshot.profiles.get(name) ?? {}
    const auto = selector?.auto ?? null
    return { name, inherits, guests, auto, match: selector ? selectorLine(selector) : null, definedAt }
  })
  return sortedBy(all, ({ name }) => name)
}

function listed({ name, inherits, guests, selects, definedAt }: ProfileBody): ListedProfile {
  return { name, inherits, guests, auto: selects?.auto ?? null, match: selects?.machines ?? null, definedAt }
}
