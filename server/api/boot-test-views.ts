import { type BootTestProgress, progressText } from '../core/boottest/progress.ts'
import type { BootTestResult } from '../core/boottest/result.ts'

/** Without the file of its serial line: that is on the machine of the server. */
export function bootTestResultView({ firmware, outcome, reached = [], ms, why, untested }: BootTestResult) {
  return { firmware, outcome, reached, ms: ms ?? null, why: why ?? null, untested: untested ?? null }
}

export function bootTestProgressView(progress: BootTestProgress) {
  const { tree, state, place, waiting, why, firmware, results } = progress
  return {
    tree,
    state,
    place: place ?? null,
    waiting: waiting ?? null,
    why: why ?? null,
    firmware,
    results: results.map(bootTestResultView),
    words: progressText(progress),
  }
}
