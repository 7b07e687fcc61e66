import type { Snapshot } from '../catalog/snapshot.ts'
import type { FailureDetail } from '../core/failure.ts'
import { lineIn, type Settings } from '../core/guest/guest.ts'
import { createTreeIndex, type TreeIndex } from '../core/select/select.ts'
import type { Tree } from '../core/tree/tree.ts'
import type { Machines } from '../machines/machines.ts'

/** A guest, profile or mirror that a tree is there for. */
export interface TreeUser {
  readonly kind: 'guest' | 'profile' | 'mirror'
  readonly name: string
  readonly how: 'id' | 'traits' | 'installing' | 'mirror'
  readonly where: string
}

/**
 * Who uses a tree: whose selection it is, whose machine is being installed from it, and the mirror that fetches it.
 * A tree that is not ready is used by those that name it.
 *
 * @param id What it was published as, or the id of a tree that a person put there.
 */
export function usersOfTree(
  { guests, profiles, trees, config }: Snapshot,
  machines: Pick<Machines, 'stateOf'>,
  id: string,
): readonly TreeUser[] {
  const isIt = isTree(id)
  const how = ({ tree }: Settings): TreeUser['how'] | undefined => {
    if (!tree) return undefined
    const selection = trees.select(tree.value)
    if ('id' in tree.value)
      return tree.value.id === id || (selection.found && isIt(selection.tree)) ? 'id' : undefined
    return selection.found && isIt(selection.tree) ? 'traits' : undefined
  }
  const users: TreeUser[] = []
  for (const { name, settings, definedAt } of guests.all) {
    const state = machines.stateOf(name)
    const isInstalling =
      state?.state === 'installing' &&
      (state.offers ?? []).some(({ tree, release }) => release?.id === id || tree === id)
    if (isInstalling) users.push({ kind: 'guest', name, how: 'installing', where: definedAt })
    const wanted = how(settings)
    if (wanted) users.push({ kind: 'guest', name, how: wanted, where: whereOf(settings, definedAt) })
  }
  for (const [name, { settings, definedAt }] of profiles) {
    const wanted = how(settings)
    if (wanted) users.push({ kind: 'profile', name, how: wanted, where: whereOf(settings, definedAt) })
  }
  for (const mirror of config.mirrors)
    if (mirror.id === id)
      users.push({ kind: 'mirror', name: mirror.id, how: 'mirror', where: `/api/v1/mirrors/${mirror.id}` })
  return users
}

/**
 * The users that would not have the other tree when all that name this one by its id name that: whose traits lead
 * elsewhere, whose machine is being installed, and the mirror, which would fetch the tree again.
 */
export function usersLeft(
  snapshot: Snapshot,
  users: readonly TreeUser[],
  { id, other }: { readonly id: string; readonly other: string },
): readonly TreeUser[] {
  const without = withoutTree(snapshot.trees, id)
  return users.filter(({ kind, name, how }) => {
    if (how !== 'traits') return how !== 'id'
    const settings =
      kind === 'guest' ? snapshot.guests.byName(name)?.settings : snapshot.profiles.get(name)?.settings
    const selection = settings?.tree && without.select(settings.tree.value)
    return !(selection?.found && isTree(other)(selection.tree))
  })
}

/** One line for each user, for a problem document. */
export function userDetails(users: readonly TreeUser[]): readonly FailureDetail[] {
  return users.map(({ kind, name, how, where }) => ({
    field: `${kind} ${name}`,
    found: where,
    expected: howTexts[how],
  }))
}

const howTexts: Readonly<Record<TreeUser['how'], string>> = {
  id: 'another tree, because it names this one',
  traits: 'other traits, because this tree fits them best',
  installing: 'the end of its installation from this tree',
  mirror: 'its removal, because it would fetch this tree again',
}

function whereOf({ tree }: Settings, definedAt: string): string {
  return tree ? lineIn(tree.from) : definedAt
}

function isTree(id: string) {
  return ({ id: own, release }: Tree): boolean => own === id || release?.id === id
}

function withoutTree({ all, earlier }: TreeIndex, id: string): TreeIndex {
  return createTreeIndex(
    all.filter((tree) => !isTree(id)(tree)),
    earlier,
  )
}
