import type { Command } from 'commander'
import type { MirrorBody } from '../../api/types.ts'
import { definitionsHere } from '../definition-change.ts'
import { type CommonOptions, configOption, jsonOption } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json, sortedBy, table } from '../output/table.ts'
import { serverOf } from '../remote/connect.ts'
import { registerDefinitionVerbs } from './definition-verbs.ts'

export function registerMirrors(program: Command, io: CliIo): void {
  const mirrors = program
    .command('mirrors')
    .description('list the mirrors that the server keeps up to date, and where each stands')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((options: CommonOptions) => listMirrors(options, io))
  registerDefinitionVerbs(mirrors, 'mirror', io)
}

async function listMirrors(options: CommonOptions, io: CliIo): Promise<void> {
  const all = (await mirrorsOf(options, io)).map(({ id, data, where }) => ({
    id,
    urls: [data?.url ?? []].flat().map(shownUrl),
    schedule: data?.schedule ?? null,
    definedAt: where,
  }))
  if (options.json) io.out(json(all))
  else if (all.length === 0) io.out('no mirrors yet: treeboot mirrors add ID url=... makes one\n')
  else {
    const rows = all.map(({ id, urls, schedule, definedAt }) => [
      id,
      urls.join(', '),
      schedule === null ? 'only by hand' : String(schedule),
      definedAt,
    ])
    io.out(table([['MIRROR', 'FROM', 'WHEN', 'DEFINED AT'], ...rows]))
  }
  if (all.length === 0) io.exit(exitCodes.notFound)
}

/** By their ids. */
async function mirrorsOf(
  options: CommonOptions,
  io: CliIo,
): Promise<readonly Pick<MirrorBody, 'id' | 'where' | 'data'>[]> {
  const server = await serverOf(options, io)
  if (server) return server.all('listMirrors', {})
  const all = await (await definitionsHere(options, io)).list('mirror')
  const mirrors = all.map(({ name, where, data = null }) => ({ id: name, where, data }))
  return sortedBy(mirrors, ({ id }) => id)
}

/** Without the name and the password that a URL may have. */
function shownUrl(url: unknown): string {
  return String(url).replace(/\/\/[^/]*@/, '//...@')
}
