import { setTimeout as pause } from 'node:timers/promises'
import type { JobBody } from '../../api/types.ts'
import { defined } from '../../core/defined.ts'
import { failureMessage } from '../../core/failure.ts'
import type { Progress } from '../../intake/import/progress.ts'
import type { CliIo } from '../output/io.ts'
import { type ProgressLine, type ProgressMode, progressLine } from '../output/progress.ts'
import { count, printable } from '../output/table.ts'
import type { ApiClient } from './client.ts'
import { isFinal, type Pauses, usualPauses } from './follow-events.ts'

const askEveryMs = 500

interface FollowJobOptions {
  readonly io: CliIo
  readonly mode: ProgressMode
  readonly signal?: AbortSignal
  readonly pauses?: Pauses
}

/**
 * Shows how far a job is, and resolves to it when it neither waits nor runs. While the server cannot be asked, it says so
 * and tries again.
 *
 * @throws The reason of the signal; Failure of the first question, later only one that no waiting mends.
 */
export async function followJob(
  server: ApiClient,
  number: number,
  options: FollowJobOptions,
): Promise<JobBody> {
  const { io, mode, signal, pauses = usualPauses } = options
  const line = progressLine(io, mode)
  const shown = new JobLine(line, io)
  let waitMs = pauses.firstMs
  let isFirst = true
  try {
    for (;;) {
      signal?.throwIfAborted()
      try {
        const job = await server.call('getJob', { params: { number: String(number) } })
        if (!isOpen(job)) return job
        shown.show(job)
        waitMs = pauses.firstMs
        isFirst = false
        await pause(askEveryMs, undefined, defined({ signal }))
      } catch (error) {
        if (isFirst || signal?.aborted || isFinal(error)) throw error
        line.retry({ why: failureMessage(error), waitMs })
        await pause(waitMs, undefined, defined({ signal }))
        waitMs = Math.min(pauses.mostMs, 2 * waitMs)
      }
    }
  } finally {
    line.end()
  }
}

function isOpen({ state }: JobBody): boolean {
  return state === 'waiting' || state === 'running'
}

/** What of a job is new is said once. */
class JobLine {
  readonly #line: ProgressLine
  readonly #io: CliIo
  #said = ''

  constructor(line: ProgressLine, io: CliIo) {
    this.#line = line
    this.#io = io
  }

  show({ number, state, place, progress }: JobBody): void {
    if (state === 'waiting') this.#say(`job ${number} waits: ${waitText(place)}`)
    if (!progress) return
    const { retry, bootTest } = progress
    if (bootTest) this.#say(bootTest.words)
    else if (retry && this.#said !== retry.until) {
      this.#said = retry.until
      this.#line.retry({ why: retry.why, waitMs: Math.max(0, Date.parse(retry.until) - Date.now()) })
    } else if (!retry) this.#line.show(progressOf(progress))
  }

  #say(text: string): void {
    if (this.#said === text) return
    this.#said = text
    this.#line.end()
    this.#io.err(`${printable(text)}\n`)
  }
}

export function waitText(place: number | null): string {
  return place === null || place === 0 ? 'its turn comes next' : `${count(place, 'job')} before it`
}

export function progressOf(progress: NonNullable<JobBody['progress']>): Progress {
  const { stage, bytes: doneBytes, totalBytes, files, file } = progress
  return {
    stage,
    doneBytes,
    ...defined({ totalBytes: totalBytes ?? undefined, files: files ?? undefined, file: file ?? undefined }),
  }
}
