import { rm } from 'node:fs/promises'
import type { Command } from 'commander'
import { Failure } from '../../core/failure.ts'
import { bytes as size } from '../../events/units.ts'
import { unfinishedImports } from '../../intake/import/import-job.ts'
import { leftovers, planGc } from '../../versions/gc.ts'
import type { VersionView } from '../../versions/version-store.ts'
import { boundVersions } from '../guest-store.ts'
import { type CommonOptions, configOption, jsonOption } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { count, json, table } from '../output/table.ts'
import { configOf, storeOf } from './bring.ts'

const dayMs = 86_400_000

/** `treeboot trees history|rollback|gc`: the versions of published trees. */
export function registerTreeVersions(trees: Command, io: CliIo): void {
  trees
    .command('history')
    .description('the versions of a published tree, newest first')
    .argument('[tree]', 'its id (default: all)')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((id: string | undefined, _: unknown, command: Command) =>
      history(id, command.optsWithGlobals(), io),
    )
  trees
    .command('rollback')
    .description('switch a tree back to an earlier version, at once')
    .argument('<tree>', 'its id')
    .option('--to <version>', 'the number of a version (default: the one before)')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (id: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { to?: string }>()
      const record = await (await storeOf(options, io)).rollback(id, versionNumber(options.to))
      io.out(
        options.json
          ? json(record)
          : `${id} is version ${record.version} again, of ${dateText(record.publishedMs)}, from ${record.source}\n`,
      )
    })
  trees
    .command('gc')
    .description(
      'which earlier versions and unfinished imports nobody needs, and what deleting them would free',
    )
    .argument('[tree]', 'its id (default: all)')
    .option('--delete', 'delete them; without it nothing is touched')
    .option('--keep <count>', 'earlier versions of each tree that stay in any case', '1')
    .option(
      '--now',
      'also those replaced less than a day ago, which a machine that is no guest may be installing from, and what was begun today',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .action((id: string | undefined, _: unknown, command: Command) => gc(id, command.optsWithGlobals(), io))
}

async function history(id: string | undefined, options: CommonOptions, io: CliIo): Promise<void> {
  const store = await storeOf(options, io)
  const versions: VersionView[] = []
  for (const each of id === undefined ? await store.ids() : [id])
    versions.push(...[...(await store.versions(each))].reverse())
  if (options.json) io.out(json(versions))
  else if (versions.length > 0) io.out(historyTable(versions))
  else
    io.out(
      id === undefined
        ? 'nothing was published yet: treeboot import brings a tree in\n'
        : `${id} was not published by treeboot\n`,
    )
  if (versions.length === 0) io.exit(exitCodes.none)
}

function historyTable(versions: readonly VersionView[]): string {
  const rows = versions.map((each) => [
    each.current ? '*' : '',
    each.id,
    String(each.version),
    dateText(each.publishedMs),
    size(each.bytes),
    each.by ?? '-',
    `${each.source}${each.accepted ? `  (accepted: ${each.accepted.why})` : ''}`,
  ])
  return table([['', 'TREE', 'VERSION', 'PUBLISHED', 'SIZE', 'BY', 'FROM'], ...rows])
}

interface GcCommand extends CommonOptions {
  readonly delete?: boolean
  readonly keep: string
  readonly now?: boolean
}

async function gc(id: string | undefined, options: GcCommand, io: CliIo): Promise<void> {
  const keep = Number(options.keep)
  if (!Number.isInteger(keep) || keep < 0)
    throw new Failure('bad-request', `--keep ${options.keep}: expected 0, 1, 2, ...`)
  const store = await storeOf(options, io)
  const nowMs = Date.now()
  const plan = await planGc(store, id === undefined ? await store.ids() : [id], {
    keep,
    graceMs: options.now ? 0 : dayMs,
    pinned: await boundVersions(await configOf(options, io), nowMs),
    nowMs,
  })
  // Those of today may be gone on with; a source that is given again clears its own.
  const jobs = id === undefined ? await unfinishedImports(store.trees) : []
  const oldJobs = jobs.filter(({ lastMs }) => options.now || nowMs - lastMs > dayMs)
  if (options.delete) {
    for (const { folder } of oldJobs) await rm(folder, { recursive: true, force: true })
    for (const { id: tree, version } of plan.remove) await store.remove(tree, version)
    for (const folder of await leftovers(store.trees)) await rm(folder, { recursive: true, force: true })
  }
  if (options.json) {
    io.out(json({ deleted: options.delete === true, ...plan, unfinished: jobs }))
    return
  }
  const line = (word: string, { id: tree, version, publishedMs }: VersionView, why = '') => [
    word,
    tree,
    String(version),
    dateText(publishedMs),
    why,
  ]
  io.out(
    table([
      ...plan.remove.map((version) => line(options.delete ? 'deleted' : 'would delete', version)),
      ...plan.stay.map(({ version, why }) => line('stays', version, why)),
      ...jobs.map((job) => [
        oldJobs.includes(job) ? (options.delete ? 'deleted' : 'would delete') : 'stays',
        'unfinished',
        '-',
        dateText(job.startedMs),
        `${size(job.bytes)} of ${job.source}`,
      ]),
    ]),
  )
  const bytes = plan.bytes + oldJobs.reduce((sum, job) => sum + job.bytes, 0)
  const unfinished = oldJobs.length > 0 ? `, ${count(oldJobs.length, 'unfinished import')}` : ''
  const what = `${count(plan.remove.length, 'version')}${unfinished}, ${size(bytes)}`
  io.out(
    options.delete
      ? `freed: ${what}\n`
      : plan.remove.length + oldJobs.length === 0
        ? 'nothing to delete\n'
        : `would free: ${what}; treeboot trees gc --delete does it\n`,
  )
}

function versionNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new Failure('bad-request', `--to ${text}: expected the number of a version`)
  return Number(text)
}

function dateText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace('T', ' ')
}
