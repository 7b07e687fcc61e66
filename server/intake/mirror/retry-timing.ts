import { setTimeout as sleep } from 'node:timers/promises'

/** How retries wait. Tests replace the pause, the clock and the random numbers. */
export interface RetryTiming {
  readonly pause?: (ms: number, signal?: AbortSignal) => Promise<void>
  /** A random number from 0 to 1, as `Math.random` gives it. */
  readonly chance?: () => number
  readonly clock?: () => number
}

const firstPauseMs = 500
const longestPauseMs = 60_000

/**
 * The pause before the next try: it doubles with each of `tries` earlier failures, up to a minute. `chance`,
 * from 0 to 1, shortens it by up to a half, so that a hundred clients do not return in the same second.
 */
export function backOffMs(tries: number, chance: number): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** Math.max(0, tries)) * (0.5 + chance / 2)
}

export async function pauseFor(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, signal ? { signal } : {})
}
