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
import { dayMs, isAgreed, removeWholeTree, removing, type WholeTreeOptions } from '../whole-tree.ts'
import { versionNumber } from './trees-history.ts'

export interface RemoveOptions extends CommonOptions, WholeTreeOptions {
  readonly version?: string
  readonly yes?: boolean
  readonly now?: boolean
}

/** `treeboot trees rm`: removes a published tree, or one earlier version of it. */
export function registerTreesRm(trees: Command, io: CliIo): void {
  trees
    .command('rm')
    .description('take a published tree away from clients, or remove its versions from the disk')
    .argument('<tree>', 'the id of a tree')
    .option('--version <number>', 'one earlier version, as treeboot trees history shows it; the tree stays')
    .option('--all-versions', 'the tree with all its versions, which nothing brings back')
    .option('--replace-by <other>', 'the id of a tree: all that name this one by its id name that one then')
    .option('--dry-run', 'show who would get the other tree and what would go, and change nothing')
    .option('-y, --yes', 'do not ask')
    .option('--now', 'also a version replaced within the last day, from which machines may still install')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Without --version and --all-versions the versions of the tree stay on the disk, and "treeboot trees rollback" offers it again.
A tree that guests, profiles or a mirror use stays. A version from which a machine is installing stays, and one that was replaced
less than a day ago, unless --now is given. A tree that was copied by hand has no versions: stop offering it by removing its
folder or image from trees/. "treeboot trees gc" finds all versions that nobody needs.`,
    )
    .action((id: string, _: unknown, command: Command) => {
      const options = optionsOf<RemoveOptions>(command)
      const { version, ...whole } = options
      return version === undefined
        ? removeWholeTree(id, whole, io)
        : removeVersion(id, { ...options, version }, io)
    })
}

type VersionOptions = RemoveOptions & { readonly version: string }

async function removeVersion(id: string, options: VersionOptions, io: CliIo): Promise<void> {
  if (options.allVersions || options.dryRun || options.replaceBy !== undefined)
    throw new Failure(
      'bad-request',
      '--all-versions, --replace-by and --dry-run are for a whole tree, not for one --version',
    )
  const version = versionNumber('--version', options.version)
  const server = await serverOf(options, io)
  if (server && options.now)
    throw new Failure('unsupported', '--now is for whoever sees the machines: run it beside the server')
  if (server) {
    // Whether it is there, before anybody is asked.
    await server.call('getTreeVersion', { params: { id, version: String(version) } })
    if (!(await isAgreed(removing(`${id}, version ${version}`), options, io)))
      return io.exit(exitCodes.failed)
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
  if (!(await isAgreed(removing(`${id}, version ${version}`), options, io))) return io.exit(exitCodes.failed)
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
