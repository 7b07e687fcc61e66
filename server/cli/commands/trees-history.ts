import type { Command } from 'commander'
import { type ShownVersion, treeVersionView } from '../../api/tree-version-view.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { bytes as size } from '../../events/units.ts'
import { type CommonOptions, configOption, jsonOption } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { dateText, json, table } from '../output/table.ts'
import type { ApiClient } from '../remote/client.ts'
import { serverOf } from '../remote/connect.ts'
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
  const server = await serverOf(options, io)
  const versions = server ? await historyAt(server, id) : await historyHere(id, options, io)
  if (options.json) io.out(json(versions))
  else if (versions.length > 0) io.out(historyTable(versions))
  else if (id === undefined) io.out('no tree was published yet: treeboot import publishes one\n')
  else io.out(`${id} was not published by treeboot\n`)
  if (versions.length === 0) io.exit(exitCodes.notFound)
}

async function historyHere(
  id: string | undefined,
  options: CommonOptions,
  io: CliIo,
): Promise<readonly ShownVersion[]> {
  const store = await versionStoreOf(options, io)
  const versions: ShownVersion[] = []
  for (const each of id === undefined ? await store.ids() : [id])
    versions.push(...(await store.versions(each)).map(treeVersionView).reverse())
  return versions
}

/** Trees that were taken away are listed when they are named. */
async function historyAt(server: ApiClient, id: string | undefined): Promise<readonly ShownVersion[]> {
  const ids = id === undefined ? (await server.all('listTrees', {})).map((tree) => tree.id) : [id]
  const versions: ShownVersion[] = []
  for (const each of ids.sort()) {
    const found = await server.all('listTreeVersions', { params: { id: each } })
    // What was published in one piece has one history.
    const isKnown = versions.some((version) => version.id === found[0]?.id)
    if (!isKnown) versions.push(...found.map(({ needed: _, ...version }) => version))
  }
  return versions
}

function historyTable(versions: readonly ShownVersion[]): string {
  const rows = versions.map((each) => [
    each.current ? '*' : '',
    each.id,
    String(each.version),
    dateText(Date.parse(each.published)),
    size(each.bytes),
    each.by ?? '-',
    `${each.source}${each.accepted ? `  (accepted: ${each.accepted.why})` : ''}${bootText(each)}`,
  ])
  return table([['', 'TREE', 'VERSION', 'PUBLISHED', 'SIZE', 'BY', 'FROM'], ...rows])
}

/** What its boot test showed, if it had one. */
function bootText({ bootTest }: ShownVersion): string {
  if (bootTest === null || bootTest.length === 0) return ''
  const texts = bootTest.map(({ firmware, outcome }) => `${firmware} ${words[outcome]}`)
  return `  (boot test: ${texts.join(', ')})`
}

const words = { passed: 'passed', failed: 'failed', impossible: 'not possible' } as const

async function rollback(id: string, options: CommonOptions & { to?: string }, io: CliIo): Promise<void> {
  const version = options.to === undefined ? undefined : versionNumber('--to', options.to)
  const server = await serverOf(options, io)
  const now = server
    ? await rollBackAt(server, id, version)
    : await rollBackHere(id, version, { options, io })
  if (options.json) return io.out(json(now))
  io.out(
    `${id} is version ${now.version} again, of ${dateText(Date.parse(now.published))}, from ${now.source}\n`,
  )
}

async function rollBackAt(server: ApiClient, id: string, version: number | undefined): Promise<ShownVersion> {
  const { needed: _, ...now } = await server.call('rollBackTree', {
    params: { id },
    body: defined({ version }),
  })
  return now
}

async function rollBackHere(
  id: string,
  version: number | undefined,
  { options, io }: { readonly options: CommonOptions; readonly io: CliIo },
): Promise<ShownVersion> {
  const store = await versionStoreOf(options, io)
  const record = await store.rollback(id, version)
  const now = (await store.versions(id)).find((each) => each.version === record.version)
  if (!now) throw new Failure('conflict', `${id} was changed meanwhile; see treeboot trees history ${id}`)
  return treeVersionView(now)
}

/** @throws Failure `bad-request` for what is no number of a version. */
export function versionNumber(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new Failure('bad-request', `${option} ${text}: expected the number of a version`)
}
