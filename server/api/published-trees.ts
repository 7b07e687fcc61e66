import { realpath } from 'node:fs/promises'
import { Failure, failureMessage } from '../core/failure.ts'
import { isUnfinished } from '../core/guest/state.ts'
import { reasonToStay } from '../versions/gc.ts'
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
export async function publishedTree(context: ApiContext, name: string): Promise<PublishedTree> {
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
  { snapshot, machines }: ApiContext,
  { store, id, versions }: PublishedTree,
): Promise<ReadonlyMap<number, string>> {
  const pinned = new Set(
    snapshot().guests.all.flatMap(({ name }) => {
      const state = machines.stateOf(name)
      if (!state || !isUnfinished(state.state)) return []
      return (state.offers ?? []).flatMap(({ release }) =>
        release ? [`${release.id}@${release.version}`] : [],
      )
    }),
  )
  const options = { keep: 0, graceMs, pinned, nowMs: Date.now() }
  const needed = await store.neededVersion(id)
  const reasons = versions.map((version): [number, string | undefined] => {
    if (version.current) return [version.version, 'it is the current one']
    return [
      version.version,
      reasonToStay(version, 0, options) ?? (needed?.version === version.version ? needed.why : undefined),
    ]
  })
  return new Map(reasons.filter((each): each is [number, string] => each[1] !== undefined))
}
