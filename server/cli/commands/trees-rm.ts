import type { Command } from 'commander'
import { Failure } from '../../core/failure.ts'
import { reasonToStay } from '../../versions/gc.ts'
import type { VersionView } from '../../versions/version-store.ts'
import { boundVersions } from '../guest-store.ts'
import { type CommonOptions, configOption, jsonOption, optionsOf } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json } from '../output/table.ts'
import { serverOf } from '../remote/connect.ts'
import { configOf, versionStoreOf } from '../run-import.ts'
import { versionNumber } from './trees-history.ts'

const dayMs = 86_400_000

interface RemoveOptions extends CommonOptions {
  readonly version: string
  readonly yes?: boolean
  readonly now?: boolean
}

/** `treeboot trees rm`: removes one earlier version of a published tree. */
export function registerTreesRm(trees: Command, io: CliIo): void {
  trees
    .command('rm')
    .description('remove an earlier version of a published tree; the current one stays')
    .argument('<tree>', 'the id of a tree')
    .requiredOption('--version <number>', 'the version, as treeboot trees history shows it')
    .option('-y, --yes', 'do not ask')
    .option('--now', 'also a version replaced within the last day, from which machines may still install')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
A version from which a machine is installing stays, and one that was replaced less than a day ago, unless --now is given. A tree that was copied by hand has no versions: stop offering it by
removing its folder or image from trees/. "treeboot trees gc" finds all versions that nobody needs.`,
    )
    .action((id: string, _: unknown, command: Command) => remove(id, optionsOf(command), io))
}

async function remove(id: string, options: RemoveOptions, io: CliIo): Promise<void> {
  const version = versionNumber('--version', options.version)
  const server = await serverOf(options, io)
  if (server && options.now)
    throw new Failure('unsupported', '--now is for whoever sees the machines: run it beside the server')
  if (server) {
    // Whether it is there, before anybody is asked.
    await server.call('getTreeVersion', { params: { id, version: String(version) } })
    if (!(await isAgreed(`${id}, version ${version}`, options, io))) return io.exit(exitCodes.failed)
    await server.call('deleteTreeVersion', { params: { id, version: String(version) } })
    return io.out(options.json ? json({ id, version }) : `${id}: version ${version} is removed\n`)
  }
  const store = await versionStoreOf(options, io)
  const versions = await store.versions(id)
  const found = versions.find((each) => each.version === version)
  if (!found) {
    const known = versions.map((each) => each.version).join(', ')
    const hint = known === '' ? 'treeboot did not publish it' : `it has ${known}`
    throw new Failure('not-found', `no version ${version} of ${id}: ${hint}`)
  }
  await requireUnused(found, options, io)
  if (!(await isAgreed(`${id}, version ${version}`, options, io))) return io.exit(exitCodes.failed)
  await store.remove(id, version)
  io.out(options.json ? json({ id, version }) : `${id}: version ${version} is removed\n`)
}

async function requireUnused(found: VersionView, options: RemoveOptions, io: CliIo): Promise<void> {
  const { id, version } = found
  const store = await versionStoreOf(options, io)
  const needed = await store.neededVersion(id)
  const nowMs = Date.now()
  const pinned = await boundVersions(await configOf(options, io), nowMs)
  const why = reasonToStay(found, 0, { keep: 0, graceMs: options.now ? 0 : dayMs, pinned, nowMs })
  const stays = needed?.version === version ? needed.why : why
  if (stays !== undefined) throw new Failure('conflict', `version ${version} of ${id} stays: ${stays}`)
}

async function isAgreed(what: string, { yes }: RemoveOptions, io: CliIo): Promise<boolean> {
  if (yes === true) return true
  const agreed = await io.ask(`Remove ${what} from the disk? [y/N] `)
  if (agreed === undefined)
    throw new Failure(
      'bad-request',
      `this removes ${what} from the disk. Nothing was changed: nobody can be asked here; give --yes`,
    )
  if (!agreed) io.err('nothing was changed\n')
  return agreed
}
