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
 * The pause after a failure: it doubles with each of the failures `before` it, up to a minute; a number below
 * 0 counts as 0. The smaller `chance` is, from 1 down to 0, the more it is shortened, up to a half, so that a
 * hundred clients do not return in the same second.
 */
export function backOffMs(before: number, chance: number): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** Math.max(0, before)) * (0.5 + chance / 2)
}

export async function pauseFor(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, signal ? { signal } : {})
}
