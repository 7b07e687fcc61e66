import type { Command } from 'commander'
import { Failure } from '../../core/failure.ts'
import { bytes as size } from '../../events/units.ts'
import type { VersionView } from '../../versions/version-store.ts'
import { type CommonOptions, configOption, jsonOption } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { dateText, json, table } from '../output/table.ts'
import { versionStoreOf } from '../run-import.ts'

/** `treeboot trees history` and `trees rollback`: list and switch the versions of published trees. */
export function registerTreesHistory(trees: Command, io: CliIo): void {
  trees
    .command('history')
    .description('list the versions of a published tree, newest first')
    .argument('[tree]', 'the id of a tree (default: all)')
    .addOption(configOption())
    .addOption(jsonOption())
    // `trees` has the same options, and commander stores their values there: hence `optsWithGlobals`.
    .action((id: string | undefined, _: unknown, command: Command) =>
      history(id, command.optsWithGlobals(), io),
    )
  trees
    .command('rollback')
    .description('switch a tree back to an earlier version, at once')
    .argument('<tree>', 'the id of a tree')
    .option('--to <version>', 'the number of a version (default: the previous one)')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((id: string, _: unknown, command: Command) => rollback(id, command.optsWithGlobals(), io))
}

async function history(id: string | undefined, options: CommonOptions, io: CliIo): Promise<void> {
  const store = await versionStoreOf(options, io)
  const versions: VersionView[] = []
  for (const each of id === undefined ? await store.ids() : [id])
    versions.push(...[...(await store.versions(each))].reverse())
  if (options.json) io.out(json(versions))
  else if (versions.length > 0) io.out(historyTable(versions))
  else if (id === undefined) io.out('no tree was published yet: treeboot import publishes one\n')
  else io.out(`${id} was not published by treeboot\n`)
  if (versions.length === 0) io.exit(exitCodes.notFound)
}

function historyTable(versions: readonly VersionView[]): string {
  const rows = versions.map((each) => [
    each.current ? '*' : '',
    each.id,
    String(each.version),
    dateText(each.publishedMs),
    size(each.bytes),
    each.by ?? '-',
    `${each.source}${each.accepted ? `  (accepted: ${each.accepted.why})` : ''}${bootText(each)}`,
  ])
  return table([['', 'TREE', 'VERSION', 'PUBLISHED', 'SIZE', 'BY', 'FROM'], ...rows])
}

/** What its boot test showed, if it had one. */
function bootText({ bootTest = [] }: VersionView): string {
  if (bootTest.length === 0) return ''
  const texts = bootTest.map(({ firmware, outcome }) => `${firmware} ${words[outcome]}`)
  return `  (boot test: ${texts.join(', ')})`
}

const words = { passed: 'passed', failed: 'failed', impossible: 'not possible' } as const

async function rollback(id: string, options: CommonOptions & { to?: string }, io: CliIo): Promise<void> {
  const version = options.to === undefined ? undefined : versionNumber('--to', options.to)
  const record = await (await versionStoreOf(options, io)).rollback(id, version)
  if (options.json) return io.out(json(record))
  const { publishedMs, source } = record
  io.out(`${id} is version ${record.version} again, of ${dateText(publishedMs)}, from ${source}\n`)
}

/** @throws Failure `bad-request` for what is no number of a version. */
export function versionNumber(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new Failure('bad-request', `${option} ${text}: expected the number of a version`)
}
