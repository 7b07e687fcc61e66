import { setImmediate as nextTurn } from 'node:timers/promises'

export { nextTurn }

/** So many pieces of work take some milliseconds. */
const workInTurn = 2000

/**
 * Does work for each item, and lets the event loop turn in between: services answer meanwhile, however many items
 * there are. `forEachAtOnce` is for work that waits by itself.
 */
export async function forEachInTurns<T>(items: Iterable<T>, work: (item: T) => void): Promise<void> {
  const turns = new Turns()
  for (const item of items) {
    work(item)
    if (turns.isDue()) await nextTurn()
  }
}

/** Counts pieces of work, for a loop that does more than `forEachInTurns` can. */
export class Turns {
  #left = workInTurn

  /** Called after each piece of work. When true, the caller awaits `nextTurn`. */
  isDue(): boolean {
    if (--this.#left > 0) return false
    this.#left = workInTurn
    return true
  }
}
