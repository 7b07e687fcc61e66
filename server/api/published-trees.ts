import { realpath } from 'node:fs/promises'
import { Failure, failureMessage } from '../core/failure.ts'
import { type GcOptions, reasonToStay } from '../versions/gc.ts'
import { checkTreeId } from '../versions/layout.ts'
import { VersionStore, type VersionView } from '../versions/version-store.ts'
import type { ApiContext } from './context.ts'

/** A published tree, whether it is offered or not. */
export interface PublishedTree {
  readonly store: VersionStore
  /** What it was published as. Trees that were published together have one. */
  readonly id: string
  /** Oldest first; empty for a folder that a person put into `trees/`. */
  readonly versions: readonly VersionView[]
}

/** @throws Failure `not-found` for what is neither a tree nor has versions. */
export async function publishedTree(
  context: Pick<ApiContext, 'snapshot'>,
  name: string,
): Promise<PublishedTree> {
  const { config, trees } = context.snapshot()
  const tree = trees.byId(name)
  const id = tree?.release?.id ?? name
  try {
    checkTreeId(id)
  } catch (error) {
    throw new Failure('not-found', failureMessage(error))
  }
  const store = new VersionStore(await realpath(config.paths.trees))
  const versions = await store.versions(id)
  if (versions.length === 0 && !tree)
    throw new Failure('not-found', `no tree ${name}; /api/v1/trees lists them`)
  return { store, id, versions }
}

/** A version that was replaced less than this long ago stays: machines that are no guests may read it. */
const graceMs = 86_400_000

/** Why versions may not be removed now, by their numbers. */
export async function neededVersions(
  context: Pick<ApiContext, 'machines'>,
  tree: PublishedTree,
): Promise<ReadonlyMap<number, string>> {
  const reasons = new Map(
    versionsInUse(tree, { pinned: context.machines.unfinishedVersions(), graceMs, nowMs: Date.now() }),
  )
  const needed = await tree.store.neededVersion(tree.id)
  if (needed && !reasons.has(needed.version)) reasons.set(needed.version, needed.why)
  const current = tree.versions.find((version) => version.current)
  return current ? reasons.set(current.version, 'it is the current one') : reasons
}

/** Why machines may need versions, also when the whole tree is to go. */
export function neededByMachines(
  context: Pick<ApiContext, 'machines'>,
  tree: PublishedTree,
): ReadonlyMap<number, string> {
  return versionsInUse(tree, { pinned: context.machines.unfinishedVersions(), graceMs, nowMs: Date.now() })
}

/** The same with what the caller knows of machines. */
export function versionsInUse(
  { versions }: PublishedTree,
  known: Omit<GcOptions, 'keep'>,
): ReadonlyMap<number, string> {
  const options = { ...known, keep: 0 }
  const reasons = versions.map((each) => [each.version, reasonToStay(each, 0, options)] as const)
  return new Map(reasons.filter((each): each is [number, string] => each[1] !== undefined))
}
