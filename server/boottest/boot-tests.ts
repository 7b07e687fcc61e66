import type { BootTestProgress } from '../core/boottest/progress.ts'
import type { BootTestResult } from '../core/boottest/result.ts'
import type { EventSink } from '../events/bus.ts'
import { bootTest, type GateOptions } from './gate.ts'
import type { BootTestRequest } from './request.ts'
import type { BootTestWatch } from './version-gate.ts'

/** A boot test that waits or runs. */
export interface OpenBootTest extends BootTestProgress {
  /** Counts up from 1 in each run of the server. */
  readonly number: number
  readonly sinceMs: number
}

export interface BootTestsOptions extends Pick<GateOptions, 'program' | 'whyNotNow'> {
  readonly events: EventSink
  /** Ends all tests, with the server. */
  readonly signal: AbortSignal
  readonly clock?: () => number
}

/**
 * The boot tests of this server: those that wait or run, and an event for each step of them. There are no more than jobs
 * and publications, which wait for them.
 */
export class BootTests {
  readonly #options: BootTestsOptions
  readonly #open = new Map<number, OpenBootTest>()
  #next = 1

  constructor(options: BootTestsOptions) {
    this.#options = options
  }

  /** In the order in which they came. */
  list(): readonly OpenBootTest[] {
    return [...this.#open.values()]
  }

  /** @throws The reason of the signal that ended it. */
  readonly run = async (
    request: BootTestRequest,
    { signal: own, onProgress }: BootTestWatch = {},
  ): Promise<readonly BootTestResult[]> => {
    const { events, program, whyNotNow, signal: all, clock = Date.now } = this.#options
    const number = this.#next++
    const sinceMs = clock()
    let last: BootTestProgress = {
      tree: request.id,
      state: 'starting',
      firmware: request.firmware,
      results: [],
    }
    const show = (progress: BootTestProgress): void => {
      last = progress
      this.#open.set(number, { ...progress, number, sinceMs })
      events({ type: 'boot-test', ...progress })
      onProgress?.(progress)
    }
    const signal = own ? AbortSignal.any([own, all]) : all
    let results: readonly BootTestResult[] | undefined
    try {
      results = await bootTest(request, { program, whyNotNow, signal, onProgress: show })
      return results
    } finally {
      this.#open.delete(number)
      const { id: tree, firmware } = request
      const end = results
        ? ({ state: 'ended', results } as const)
        : ({ state: 'cancelled', results: last.results } as const)
      events({ type: 'boot-test', tree, firmware, ...end })
    }
  }
}
