import { setTimeout as pause } from 'node:timers/promises'

/** So many pauses are waited for files that change all the time. */
const mostPauses = 20

export interface QuietReadOptions<T> {
  /** A text that differs whenever the files may differ. */
  readonly stateOf: () => Promise<string>
  readonly read: () => Promise<T>
  /** The state that was read last: without a change nothing is waited for. */
  readonly known: string
  readonly pauseMs: number
}

/**
 * Reads files when nothing has changed for a pause: `cp` and most editors empty a file before they write it, and what is
 * there in between may make sense as well.
 *
 * @returns What was read, and the state as it was before and after; undefined when the files do not become quiet.
 */
export async function readWhenQuiet<T>({
  stateOf,
  read,
  known,
  pauseMs,
}: QuietReadOptions<T>): Promise<{ readonly state: string; readonly found: T } | undefined> {
  let seen = known
  for (let n = 0; n < mostPauses; n++) {
    const state = await stateOf()
    if (state === seen) {
      const found = await read()
      if ((await stateOf()) === state) return { state, found }
    }
    seen = state
    await pause(pauseMs)
  }
  return undefined
}
