import type { Snapshot } from '../catalog/snapshot.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { GuestState } from '../core/guest/state.ts'
import type { GuestSummary } from './types.ts'
import { guestSummary } from './views.ts'

/** What is kept of one guest, and the state that it was made of. */
interface Kept {
  readonly state: GuestState | undefined
  readonly summary: GuestSummary
}

/**
 * The JSON of guests. A page that shows them asks for it every few seconds, and to choose the trees of a
 * thousand guests anew each time would slow their boots. So each guest's part is kept while the snapshot and its
 * state stay the same: both are immutable, and a change makes another object.
 */
export class GuestSummaries {
  readonly #summarize: typeof guestSummary
  #kept = new WeakMap<Guest, Kept>()
  #trees: Snapshot['trees'] | undefined

  constructor(summarize: typeof guestSummary = guestSummary) {
    this.#summarize = summarize
  }

  of(
    guests: readonly Guest[],
    trees: Snapshot['trees'],
    stateOf: (guest: Guest) => GuestState | undefined,
  ): readonly GuestSummary[] {
    if (trees !== this.#trees) this.#kept = new WeakMap()
    this.#trees = trees
    return guests.map((guest) => this.#of(guest, trees, stateOf(guest)))
  }

  #of(guest: Guest, trees: Snapshot['trees'], state: GuestState | undefined): GuestSummary {
    const kept = this.#kept.get(guest)
    if (kept && kept.state === state) return kept.summary
    const summary = this.#summarize(guest, trees, state)
    this.#kept.set(guest, { state, summary })
    return summary
  }
}
