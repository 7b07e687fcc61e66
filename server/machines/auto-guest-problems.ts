import { autoMac } from '../core/guest/auto-guest.ts'
import type { GuestIndex } from '../core/guest/match.ts'
import type { Selector } from '../core/guest/selectors.ts'
import type { GuestState } from '../core/guest/state.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { unknownMachinesKept } from '../store/store.ts'

/** A profile that makes no more guests for now, because it has made so many. */
export function limitProblem({ profile, definedAt }: Selector, why: string): SnapshotProblem {
  const message = `profile ${profile} makes no more machines guests for now: ${why}; they boot their own disks`
  const remedy = 'look at treeboot guests whether these are your machines; auto-limit sets the number'
  return { severity: 'warning', where: definedAt, message, remedy }
}

/**
 * The list of machines that were seen is full, so it does not say any more whether a stranger is another card of a guest
 * that is known by its MAC alone. Strangers can fill it, and nothing but a person can tell them from guests.
 */
export function fullListProblem({ profile, definedAt }: Selector): SnapshotProblem {
  const message = `profile ${profile} makes no more machines guests: more than ${unknownMachinesKept} machines were seen, so nobody knows whether one of them is a guest with another card; they boot their own disks`
  const remedy =
    'make a machine a guest by hand: treeboot adopt MAC. To end this, write the uuid of each guest into its definition, then DELETE /api/v1/inbox/ID of the strangers'
  return { severity: 'warning', where: definedAt, message, remedy }
}

/**
 * Guests that were being made when treeboot was killed, or when the disk was full: the store has a record, and no file says
 * what to install. A record to which anything has happened since is that of a guest whose file was removed.
 */
export function halfMadeProblems(
  states: ReadonlyMap<string, GuestState>,
  guests: GuestIndex,
  isBeingMade: (name: string) => boolean,
): SnapshotProblem[] {
  return [...states].flatMap(([name, { state, sinceMs, install, offers }]) => {
    const mac = autoMac(name)
    const isUntouched = state === 'install' && sinceMs === 0 && install === 0 && offers === undefined
    if (mac === undefined || !isUntouched || guests.byName(name) || isBeingMade(name)) return []
    const message = `${name} was not made a guest to the end: it has a record and no file, and its machine boots its own disk`
    const remedy = `to install it: treeboot guests add ${name} mac=${mac} profile=PROFILE; if not: treeboot guests forget ${name}`
    return [{ severity: 'warning', where: 'store', message, remedy }]
  })
}
