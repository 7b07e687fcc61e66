import { lru } from '../host/lru.ts'

/** One line for each guest and reason in this time: anybody may send reports, as many as they like. */
const quietMs = 60_000
const mostCounted = 10_000

/** Counts refused reports, so that the log has a few lines of them and not one for each. */
export class RefusedReports {
  readonly #said = lru<string, { sinceMs: number; silent: number }>(mostCounted)

  /** How many reports were counted in silence before this one; undefined when this one is counted, too. */
  count(guest: string, reason: string, nowMs: number): number | undefined {
    const key = `${guest}\0${reason}`
    const said = this.#said.get(key)
    // Absolute, because the clock may have been set back.
    if (said && Math.abs(nowMs - said.sinceMs) < quietMs) {
      said.silent++
      return undefined
    }
    this.#said.set(key, { sinceMs: nowMs, silent: 0 })
    return said?.silent ?? 0
  }
}
