import { rm } from 'node:fs/promises'
import type { Command } from 'commander'
import { Failure } from '../../core/failure.ts'
import { bytes as size } from '../../events/units.ts'
import { isInside } from '../../host/paths.ts'
import { removeUnfinished, unfinishedImports } from '../../intake/import/import-job.ts'
import { planGc } from '../../versions/gc.ts'
import { leftovers, oldTempFiles, removeLeftovers } from '../../versions/leftovers.ts'
import type { VersionStore, VersionView } from '../../versions/version-store.ts'
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

/** `treeboot trees gc`: deletes earlier versions of trees, unfinished imports, and what killed processes left. */
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

/** What could be deleted, and the imports that are old enough to be deleted. */
interface Garbage {
  readonly plan: GcPlan
  readonly imports: readonly UnfinishedImport[]
  readonly oldImports: readonly UnfinishedImport[]
  /** Files and folders that killed processes left. */
  readonly left: readonly string[]
}

async function gc(id: string | undefined, options: GcOptions, io: CliIo): Promise<void> {
  const keep = Number(options.keep)
  if (!Number.isInteger(keep) || keep < 0)
    throw new Failure('bad-request', `--keep ${options.keep}: expected 0, 1, 2, ...`)
  const store = await versionStoreOf(options, io)
  const nowMs = Date.now()
  const config = await configOf(options, io)
  const plan = await planGc(store, id === undefined ? await store.ids() : [id], {
    keep,
    graceMs: options.now ? 0 : dayMs,
    pinned: await boundVersions(config, nowMs),
    nowMs,
  })
  // An import of the last 24 hours may still be resumed.
  const imports = id === undefined ? await unfinishedImports(store.trees) : []
  const oldImports = imports.filter(({ lastMs }) => options.now || nowMs - lastMs > dayMs)
  const left = [...(await leftovers(store.trees)), ...(await oldTempFiles(config.paths.data, nowMs))]
  const garbage = { plan, imports, oldImports, left }
  if (options.delete) await deleteAll(store, garbage)
  const details = { ...plan, unfinished: imports, leftovers: left }
  if (options.json) io.out(json({ deleted: options.delete === true, ...details }))
  else io.out(`${garbageTable(garbage, options)}${summary(garbage, options)}\n`)
}

async function deleteAll(store: VersionStore, { plan, oldImports, left }: Garbage): Promise<void> {
  for (const each of oldImports) await removeUnfinished(each)
  for (const { id, version } of plan.remove) await store.remove(id, version)
  if (left.length === 0) return
  await removeLeftovers(store.trees)
  for (const file of left.filter((path) => !isInside(store.trees, path))) await rm(file, { force: true })
}

function garbageTable({ plan, imports, oldImports, left }: Garbage, options: GcOptions): string {
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
    ...left.map((path) => [removed, 'left over', '-', '-', path]),
  ])
}

function summary({ plan, oldImports, left }: Garbage, options: GcOptions): string {
  const bytes = plan.bytes + oldImports.reduce((sum, each) => sum + each.bytes, 0)
  const unfinished = oldImports.length > 0 ? `, ${count(oldImports.length, 'unfinished import')}` : ''
  const leftOver = left.length > 0 ? `, ${count(left.length, 'leftover')}` : ''
  const what = `${count(plan.remove.length, 'version')}${unfinished}${leftOver}, ${size(bytes)}`
  if (options.delete) return `freed: ${what}`
  if (plan.remove.length + oldImports.length + left.length === 0) return 'nothing to delete'
  return `would free: ${what}; treeboot trees gc --delete deletes them`
}
