import { rm } from 'node:fs/promises'
import type { Command } from 'commander'
import { Failure } from '../../core/failure.ts'
import { bytes as size } from '../../events/units.ts'
import { removeUnfinished, unfinishedImports } from '../../intake/import/import-job.ts'
import { leftovers, planGc } from '../../versions/gc.ts'
import type { VersionView } from '../../versions/version-store.ts'
import { boundVersions } from '../guest-store.ts'
import { type CommonOptions, configOption, jsonOption } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { count, dateText, json, table } from '../output/table.ts'
import { configOf, versionStoreOf } from '../run-import.ts'

const dayMs = 86_400_000

interface GcOptions extends CommonOptions {
  readonly delete?: boolean
  readonly keep: string
  readonly now?: boolean
}

/** `treeboot trees gc`: deletes earlier versions of trees, and unfinished imports. */
export function registerTreesGc(trees: Command, io: CliIo): void {
  trees
    .command('gc')
    .description(
      'list the earlier versions and unfinished imports that can be deleted, and how much space that frees',
    )
    .argument('[tree]', 'the id of a tree (default: all)')
    .option('--delete', 'delete them; without this option nothing changes')
    .option('--keep <count>', 'how many earlier versions of each tree are always kept', '1')
    .option(
      '--now',
      'include versions replaced within the last day, from which machines may still install, and imports of the last day',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    // `trees` has some of these options, and commander stores their values there: hence `optsWithGlobals`.
    .action((id: string | undefined, _: unknown, command: Command) => gc(id, command.optsWithGlobals(), io))
}

type GcPlan = Awaited<ReturnType<typeof planGc>>
type UnfinishedImport = Awaited<ReturnType<typeof unfinishedImports>>[number]

/** The versions and imports that could be deleted, and the imports that are old enough to be deleted. */
interface Garbage {
  readonly plan: GcPlan
  readonly imports: readonly UnfinishedImport[]
  readonly oldImports: readonly UnfinishedImport[]
}

async function gc(id: string | undefined, options: GcOptions, io: CliIo): Promise<void> {
  const keep = Number(options.keep)
  if (!Number.isInteger(keep) || keep < 0)
    throw new Failure('bad-request', `--keep ${options.keep}: expected 0, 1, 2, ...`)
  const store = await versionStoreOf(options, io)
  const nowMs = Date.now()
  const plan = await planGc(store, id === undefined ? await store.ids() : [id], {
    keep,
    graceMs: options.now ? 0 : dayMs,
    pinned: await boundVersions(await configOf(options, io), nowMs),
    nowMs,
  })
  // An import of the last 24 hours may still be resumed.
  const imports = id === undefined ? await unfinishedImports(store.trees) : []
  const oldImports = imports.filter(({ lastMs }) => options.now || nowMs - lastMs > dayMs)
  if (options.delete) {
    for (const each of oldImports) await removeUnfinished(each)
    for (const { id: tree, version } of plan.remove) await store.remove(tree, version)
    // Versions that a crash left half deleted: nothing reads or lists them any more.
    for (const folder of await leftovers(store.trees)) await rm(folder, { recursive: true, force: true })
  }
  const garbage = { plan, imports, oldImports }
  if (options.json) io.out(json({ deleted: options.delete === true, ...plan, unfinished: imports }))
  else io.out(`${garbageTable(garbage, options)}${summary(garbage, options)}\n`)
}

function garbageTable({ plan, imports, oldImports }: Garbage, options: GcOptions): string {
  const removed = options.delete ? 'deleted' : 'would delete'
  const row = (word: string, { id, version, publishedMs }: VersionView, why = '') => [
    word,
    id,
    String(version),
    dateText(publishedMs),
    why,
  ]
  return table([
    ...plan.remove.map((version) => row(removed, version)),
    ...plan.stay.map(({ version, why }) => row('stays', version, why)),
    ...imports.map((each) => [
      oldImports.includes(each) ? removed : 'stays',
      'unfinished',
      '-',
      dateText(each.startedMs),
      `${size(each.bytes)} of ${each.source}`,
    ]),
  ])
}

function summary({ plan, oldImports }: Garbage, options: GcOptions): string {
  const bytes = plan.bytes + oldImports.reduce((sum, each) => sum + each.bytes, 0)
  const unfinished = oldImports.length > 0 ? `, ${count(oldImports.length, 'unfinished import')}` : ''
  const what = `${count(plan.remove.length, 'version')}${unfinished}, ${size(bytes)}`
  if (options.delete) return `freed: ${what}`
  if (plan.remove.length + oldImports.length === 0) return 'nothing to delete'
  return `would free: ${what}; treeboot trees gc --delete deletes them`
}
