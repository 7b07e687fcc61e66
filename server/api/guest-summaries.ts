import type { Snapshot } from '../catalog/snapshot.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { GuestState } from '../core/guest/state.ts'
import { guestSummary } from './views.ts'

/** What is kept of one guest, and the state that it was made of. */
interface Piece {
  readonly state: GuestState | undefined
  readonly text: string
}

/**
 * The JSON of all guests. A page that shows them asks for it every few seconds, and to choose the trees of a
 * thousand guests anew each time would slow their boots. So each guest's part is kept while the snapshot and its
 * state stay the same: both are immutable, and a change makes another object.
 */
export class GuestSummaries {
  readonly #summarize: typeof guestSummary
  #pieces = new WeakMap<Guest, Piece>()
  #trees: Snapshot['trees'] | undefined

  constructor(summarize: typeof guestSummary = guestSummary) {
    this.#summarize = summarize
  }

  json(
    { guests, trees }: Pick<Snapshot, 'guests' | 'trees'>,
    stateOf: (guest: string) => GuestState | undefined,
  ): string {
    if (trees !== this.#trees) this.#pieces = new WeakMap()
    this.#trees = trees
    return `[${guests.all.map((guest) => this.#textOf(guest, trees, stateOf(guest.name))).join(',')}]`
  }

  #textOf(guest: Guest, trees: Snapshot['trees'], state: GuestState | undefined): string {
    const kept = this.#pieces.get(guest)
    if (kept && kept.state === state) return kept.text
    const text = JSON.stringify(this.#summarize(guest, trees, state))
    this.#pieces.set(guest, { state, text })
    return text
  }
}
