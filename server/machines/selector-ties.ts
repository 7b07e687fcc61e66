import type { MachineFacts } from '../core/guest/machine-facts.ts'
import { type Selector, selectProfile } from '../core/guest/selectors.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { lru } from '../host/lru.ts'

/** How many machines are remembered. More of them are mostly of one kind, and one line shows what to mend. */
const mostMachines = 100
/** How many of them a list of problems names. */
const mostNamed = 10

/**
 * The machines between whose profiles nothing decided. A tie shows only when a machine comes: whether one exists that
 * fits two alternatives, no configuration says.
 */
export class SelectorTies {
  readonly #machines = lru<string, MachineFacts>(mostMachines)

  note(facts: MachineFacts, selectors: readonly Selector[]): void {
    const id = facts.macs[0] ?? facts.uuid ?? facts.address
    if (id !== undefined && selectProfile(facts, selectors).kind === 'tie') this.#machines.set(id, facts)
  }

  /** One for each set of profiles. What a change of the configuration has decided is no problem any more. */
  problems(
    selectors: readonly Selector[],
    isGuest: (facts: MachineFacts) => boolean,
  ): readonly SnapshotProblem[] {
    const byProfiles = new Map<string, { readonly at: string; readonly by: string; readonly ids: string[] }>()
    for (const [id, facts] of this.#machines.entries()) {
      const selected = selectProfile(facts, selectors)
      if (selected.kind !== 'tie' || isGuest(facts)) continue
      const key = selected.profiles.join(' and ')
      const at = selectors.find(({ profile }) => profile === selected.profiles[0])?.definedAt ?? 'profiles'
      const same = byProfiles.get(key) ?? { at, by: selected.by, ids: [] }
      same.ids.push(id)
      byProfiles.set(key, same)
    }
    return [...byProfiles].slice(0, mostNamed).map(([profiles, { at, by, ids }]) => ({
      severity: 'warning',
      where: at,
      message: `profiles ${profiles} select the same machine by ${by}, and neither is more particular, so it gets neither: ${namesOf(ids)}`,
      remedy: 'add a key to match of one of them, or make the machine a guest',
    }))
  }
}

function namesOf(ids: readonly string[]): string {
  const named = ids.slice(0, mostNamed).sort().join(', ')
  return ids.length > mostNamed ? `${named} and ${ids.length - mostNamed} more` : named
}
