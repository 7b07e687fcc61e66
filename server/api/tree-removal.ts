import type { Snapshot } from '../catalog/snapshot.ts'
import { Failure } from '../core/failure.ts'
import type { DefinitionChange, Definitions } from '../definitions/definitions.ts'
import { InUse } from '../definitions/in-use.ts'
import type { Machines } from '../machines/machines.ts'
import { othersView } from './definition-views.ts'
import type { PublishedTree } from './published-trees.ts'
import { type TreeUser, userDetails, usersLeft, usersOfTree } from './tree-users.ts'
import type { TreeRemovalBody } from './types.ts'

/** The same in the server and in a command beside it. */
export interface RemovalContext {
  readonly snapshot: () => Snapshot
  readonly machines: Pick<Machines, 'stateOf'>
  readonly definitions: Pick<Definitions, 'replaceTree'>
  /** Why versions may not be deleted now, by their numbers, whether clients see them or not. */
  readonly needed: () => Promise<ReadonlyMap<number, string>>
  /** Called when others name `by` now; afterwards `snapshot` is to be of that. */
  readonly onReplaced: (by: string, changes: readonly DefinitionChange[]) => Promise<void>
}

export interface WantedRemoval {
  readonly replaceBy?: string | undefined
  /** Whether its versions go from the disk, too. */
  readonly all: boolean
  readonly dryRun: boolean
}

/**
 * Takes a tree away from clients, when nobody uses it or all that name it can name another one.
 *
 * @throws Failure `conflict` with each user, or each version that a machine may need. A dry run is refused the same.
 */
export async function removeTree(
  tree: PublishedTree,
  { replaceBy, all, dryRun }: WantedRemoval,
  context: RemovalContext,
): Promise<TreeRemovalBody> {
  const { snapshot, machines } = context
  const { store, id, versions } = tree
  const offered = requireRemovable(tree, all)
  const users = usersOfTree(snapshot(), machines, id)
  if (all) await requireUnneeded(tree, context)
  let changes: readonly DefinitionChange[] = []
  if (replaceBy === undefined) refuseUsers(id, users)
  else {
    const other = replacementOf(snapshot(), id, replaceBy)
    refuseUsers(id, usersLeft(snapshot(), users, { id, other }))
    changes = await replaceNames(context, { id, other, dryRun })
    if (!dryRun) {
      if (changes.length > 0) await context.onReplaced(other, changes)
      // Somebody may have come meanwhile.
      refuseUsers(
        id,
        usersOfTree(snapshot(), machines, id).filter(({ how }) => how !== 'traits'),
      )
    }
  }
  const gone = all ? versions : []
  if (!dryRun && all)
    await store.removeAll(
      id,
      versions.map(({ version }) => version),
    )
  if (!dryRun && !all) await store.withdraw(id)
  return {
    id,
    removed: !dryRun,
    version: offered ?? null,
    users: [...users],
    others: othersView(changes),
    deleted: gone.map(({ version, files, bytes }) => ({ version, files, bytes })),
  }
}

/** Returns the version that is offered. */
function requireRemovable({ id, versions }: PublishedTree, all: boolean): number | undefined {
  if (versions.length === 0)
    throw new Failure(
      'conflict',
      `${id} was put into trees/ by a person, and treeboot keeps no version of it; remove it there`,
    )
  const offered = versions.find(({ current }) => current)?.version
  if (offered === undefined && !all)
    throw new Failure('conflict', `${id} is not offered; its versions stay until they are removed, too`)
  return offered
}

async function requireUnneeded({ id }: PublishedTree, { needed }: RemovalContext): Promise<void> {
  const reasons = [...(await needed())]
  if (reasons.length === 0) return
  const texts = reasons.map(([version, why]) => `version ${version} stays: ${why}`)
  throw new Failure('conflict', `${id} cannot be deleted: ${texts.join('; ')}`, {
    details: reasons.map(([version, why]) => ({
      field: `version ${version}`,
      found: why,
      expected: 'a version that no machine may need',
    })),
  })
}

interface Replacement {
  readonly id: string
  readonly other: string
  readonly dryRun: boolean
}

/**
 * Lets all that name the tree, or one of those that were published with it, name the other one.
 *
 * @throws Failure `conflict` with those that only a person changes.
 */
async function replaceNames(
  { snapshot, definitions }: RemovalContext,
  { id, other, dryRun: isDryRun }: Replacement,
): Promise<readonly DefinitionChange[]> {
  const together = snapshot().trees.all.filter(({ release }) => release?.id === id)
  const changes: DefinitionChange[] = []
  try {
    // Nothing is written before all of them are known to be possible.
    for (const dryRun of isDryRun ? [true] : [true, false])
      for (const name of new Set([id, ...together.map((tree) => tree.id)])) {
        const made = await definitions.replaceTree(name, other, { dryRun })
        if (dryRun === isDryRun) changes.push(...made)
      }
  } catch (error) {
    if (!(error instanceof InUse) || error.details.length > 0) throw error
    const details = error.users.map(({ kind, name, where }) => ({
      field: `${kind} ${name}`,
      found: where,
      expected: `${other} in place of ${id}, which only a person can write there`,
    }))
    throw new Failure('conflict', error.message, { details })
  }
  return changes
}

/** @throws Failure `bad-request` for the tree itself, and for one that is not ready: guests would have none. */
function replacementOf({ trees }: Snapshot, id: string, other: string): string {
  const tree = trees.byId(other)
  const why =
    (tree?.release?.id ?? other) === id
      ? 'it cannot take its own place'
      : tree?.state !== 'ready' && `it is ${tree?.state ?? 'not there'}`
  if (!why) return tree?.id ?? other
  const expected = 'the id of another tree that is ready'
  throw new Failure('bad-request', `replace-by=${other.slice(0, 60)}: ${why}; expected ${expected}`, {
    details: [{ field: 'query.replace-by', found: other.slice(0, 60), expected }],
  })
}

function refuseUsers(id: string, users: readonly TreeUser[]): void {
  if (users.length === 0) return
  const shown = users.slice(0, 20).map(({ kind, name, where }) => `${kind} ${name} (${where})`)
  const more = users.length > shown.length ? ` and ${users.length - shown.length} more` : ''
  throw new Failure('conflict', `tree ${id} is used by ${shown.join(', ')}${more}`, {
    details: userDetails(users),
  })
}
