import { setImmediate as nextTurn } from 'node:timers/promises'

/** So many pieces of work take some milliseconds. */
const workInTurn = 2000

/**
 * Does work for each item, and lets the event loop turn in between: services answer meanwhile, however many items
 * there are. `forEachAtOnce` is for work that waits by itself.
 */
export async function forEachInTurns<T>(items: Iterable<T>, work: (item: T) => void): Promise<void> {
  let left = workInTurn
  for (const item of items) {
    work(item)
    if (--left > 0) continue
    left = workInTurn
    await nextTurn()
  }
}
