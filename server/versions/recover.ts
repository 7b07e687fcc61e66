import { newestIn, type VersionSwitch } from './history.ts'
import type { VersionRecord } from './record.ts'

export interface VersionView extends VersionRecord {
  readonly current: boolean
  /** When another version replaced it. */
  readonly retiredMs?: number
}

/** What the disk says of one id. */
export interface IdState {
  /** Versions whose content is on the disk, oldest first. */
  readonly versions: readonly VersionView[]
  /** The lines of the history. */
  readonly lines: readonly VersionSwitch[]
  /** The switch to the current version, when it has no line. */
  readonly unnoted: readonly VersionSwitch[]
  /** The versions that the public names lead to: as a folder, then as an ISO. Mostly there is one. */
  readonly links: readonly { readonly version: number }[]
  /** Whether nothing has a public name of this id. */
  readonly isFree: boolean
}

export type Repair =
  /** A version is completely in place, and its publication was interrupted. */
  | { readonly kind: 'finish'; readonly record: VersionRecord }
  /** The public name is missing, or there are two. */
  | { readonly kind: 'show'; readonly record: VersionRecord }
  /** A line of the history is missing. */
  | { readonly kind: 'note'; readonly line: VersionSwitch }

/**
 * What is to be repaired of one id. It is asked again under the lock, when no publication is in progress. A name
 * that leads to a version is changed for one reason only: a later publication had come as far as its switch. An
 * operator who removed the name wants the tree hidden, so it stays hidden.
 */
export function repairOf(state: IdState): Repair | undefined {
  const { versions, lines, unnoted, links, isFree } = state
  const last = versions.at(-1)
  if (!last) return undefined
  if (isUnfinished(state, last)) return { kind: 'finish', record: recordOf(last) }
  const lastLine = lines.at(-1)
  // An earlier treeboot moved a hand-made folder away before the new version was in place.
  const adopted = lastLine?.action === 'adopt' && isFree ? lastLine.version : undefined
  // A crash came between the new name and the removal of the old one: `x` and `x.iso`.
  const doubled = links.length > 1 ? links : []
  const kept = doubled.find(({ version }) => version === lastLine?.version) ?? doubled[0]
  const shown = versions.find(({ version }) => version === (adopted ?? kept?.version))
  if (shown) return { kind: 'show', record: withoutReplacing(shown) }
  const [line] = unnoted
  return line && { kind: 'note', line: { ...line, newest: last.version } }
}

/** Whether the publication of the newest version was interrupted when that was in place. */
export function isUnfinished(
  { lines, links }: Pick<IdState, 'lines' | 'links'>,
  { version }: VersionRecord,
): boolean {
  if (version <= newestIn(lines)) return false
  // Without any line the history was lost, and the name alone says which version is meant.
  return lines.length > 0 || links.length === 0 || links.some((link) => link.version === version)
}

/** The record as it is on the disk. */
export function recordOf({ current: _, retiredMs: __, ...record }: VersionView): VersionRecord {
  return record
}

/** A record to switch to: the folder in whose place it was once published is not there any more. */
export function withoutReplacing(view: VersionView): VersionRecord {
  const { replaces: _, ...record } = recordOf(view)
  return record
}

/** The version that was current before the present one. */
export function lastRetired(versions: readonly VersionView[]): VersionView | undefined {
  return versions.filter((each) => !each.current).sort(lastCurrentFirst)[0]
}

/** The order of earlier versions for `sort`: the one that was replaced last comes first. */
export function lastCurrentFirst(a: VersionView, b: VersionView): number {
  return (b.retiredMs ?? 0) - (a.retiredMs ?? 0) || b.version - a.version
}
