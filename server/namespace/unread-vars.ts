import type { Snapshot } from '../catalog/snapshot.ts'
import { groupBy } from '../core/group-by.ts'
import { type Guest, lineIn } from '../core/guest/guest.ts'
import { varsNetwork } from '../core/guest/resolve-network.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { nearestName } from '../core/select/nearest.ts'
import { namesReadBy } from '../templates/names.ts'

/** Variables that treeboot reads itself, whatever the template. */
const ownNames: ReadonlySet<string> = new Set(['hostname'])

/** Those that treeboot reads beside `ip`, where they mean a static network. */
const networkNames: ReadonlySet<string> = new Set(['gateway', 'prefix', 'nameservers', 'bootproto'])

/** A variable where it is written, and what the templates of the guests that inherit it read. */
interface WrittenVar {
  readonly name: string
  readonly from: string
  isRead: boolean
  readonly names: Set<string>
}

/**
 * Variables that no template reads for any guest which has them: mostly a name with a slip of the pen. The machine then
 * gets the default without a word: a host of another name, or a root account that is locked.
 */
export function unreadVars({ guests, templates }: Snapshot): SnapshotProblem[] {
  const namesOf = new Map<string, ReadonlySet<string> | undefined>()
  const written = new Map<string, WrittenVar>()
  for (const guest of guests.all) {
    const template = guest.settings.template?.value
    if (template === undefined || !templates.has(template)) continue
    if (!namesOf.has(template)) namesOf.set(template, namesReadBy(template, templates))
    noteVars(guest, namesOf.get(template), written)
  }
  // A name that every guest has is told once, and not five thousand times.
  const alike = groupBy(
    [...written.values()].filter(({ isRead }) => !isRead),
    (each) => [`${each.name}\n${nearestName(each.name, each.names) ?? ''}`],
  )
  return [...alike.values()].flatMap(([first, ...others]) => (first ? [problemOf(first, others.length)] : []))
}

/** @param names What the guest's template reads; undefined when it may read any name. */
function noteVars(
  guest: Guest,
  names: ReadonlySet<string> | undefined,
  written: Map<string, WrittenVar>,
): void {
  const { settings } = guest
  const isNetwork = settings.network === undefined && varsNetwork(guest) !== undefined
  for (const [name, { from }] of Object.entries(settings.vars)) {
    const key = `${from}\n${name}`
    const all = written.get(key) ?? { name, from, isRead: false, names: new Set<string>() }
    written.set(key, all)
    const isOwn = ownNames.has(name) || (isNetwork && networkNames.has(name))
    if (names === undefined || names.has(name) || isOwn) all.isRead = true
    else if (!all.isRead) for (const each of names) all.names.add(each)
  }
}

function problemOf({ name, from, names }: WrittenVar, more: number): SnapshotProblem {
  const near = nearestName(name, names)
  return {
    severity: 'warning',
    where: lineIn(from),
    message: `${from}${more === 0 ? '' : ` and ${more} more`}: no template reads the variable ${name}`,
    remedy: near === undefined ? 'remove it, or read it in the template' : `did you mean '${near}'?`,
  }
}
