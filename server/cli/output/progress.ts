import { duration, bytes as size } from '../../events/units.ts'
import type { Progress, Retry } from '../../intake/import/progress.ts'
import type { CliIo } from './io.ts'
import { printable } from './table.ts'

/** Of an import, or of what is sent to a server. */
export interface ShownProgress extends Omit<Progress, 'stage'> {
  readonly stage: Progress['stage'] | 'uploading'
}

export interface ProgressLine {
  show(progress: ShownProgress): void
  /** Says why there is no progress, in a line of its own that stays; also when standard error is no terminal. */
  retry(retry: Retry): void
  /** Removes the line, so that the next output begins at the left. */
  end(): void
}

/**
 * The mode of progress without `--json`: a line on a terminal, nothing when standard error is not a terminal.
 */
export function terminalOrNone(): 'terminal' | 'none' {
  return process.stderr.isTTY ? 'terminal' : 'none'
}

const everyMs = { terminal: 200, json: 1000, plain: 10_000 } as const

/** In the first moments of a stage the rate says little, and is not shown on a terminal. */
const rateShownAfterMs = 500

const rateWindowMs = 5000

/** `plain`: a line now and then, for what is no terminal. */
export type ProgressMode = 'terminal' | 'plain' | 'json' | 'none'

/**
 * Shows progress with rate and time left: as one line of a terminal that is overwritten, or as JSON lines
 * with `--json`.
 */
export function progressLine(io: CliIo, mode: ProgressMode, now = () => performance.now()): ProgressLine {
  let stage = ''
  let stageStartMs = 0
  let shownMs = Number.NEGATIVE_INFINITY
  let width = 0
  const rate = new Rate()
  return {
    show(progress) {
      const nowMs = now()
      if (progress.stage !== stage) {
        stage = progress.stage
        stageStartMs = nowMs
        shownMs = Number.NEGATIVE_INFINITY
        rate.start(nowMs, progress.doneBytes)
      }
      if (mode === 'none' || nowMs - shownMs < everyMs[mode]) return
      shownMs = nowMs
      const bytesPerSecond = rate.at(nowMs, progress.doneBytes)
      if (mode === 'json') {
        const secondsLeft = secondsLeftOf(progress, bytesPerSecond)
        const event = {
          event: 'progress',
          ...progress,
          bytesPerSecond: Math.round(bytesPerSecond),
          ...(secondsLeft !== undefined && { secondsLeft: Math.round(secondsLeft) }),
        }
        io.out(`${JSON.stringify(event)}\n`)
        return
      }
      const text = describeProgress(progress, bytesPerSecond, nowMs - stageStartMs)
      if (mode === 'plain') {
        io.err(`${text}\n`)
        return
      }
      io.err(`\r${text.padEnd(width)}`)
      width = text.length
    },
    retry({ why, waitMs }) {
      this.end()
      if (mode === 'json') io.out(`${JSON.stringify({ event: 'retry', why, waitMs: Math.round(waitMs) })}\n`)
      else io.err(`${printable(why)}; the next try is in ${duration(waitMs)}\n`)
    },
    end() {
      if (mode === 'terminal' && width > 0) io.err(`\r${' '.repeat(width)}\r`)
      width = 0
    },
  }
}

/** `fetching  42 %  1.2 GiB of 2.9 GiB  88 MiB/s  19.4 s left  Packages/k/kernel.rpm` */
export function describeProgress(progress: ShownProgress, bytesPerSecond: number, stageMs: number): string {
  const { stage, doneBytes, totalBytes, file } = progress
  // The width of the first column: of the stages, only `publishing` is longer.
  const parts = [stage.padEnd('verifying'.length)]
  if (totalBytes !== undefined && totalBytes > 0) {
    parts.push(`${Math.floor((100 * doneBytes) / totalBytes)} %`, `${size(doneBytes)} of ${size(totalBytes)}`)
  } else parts.push(size(doneBytes))
  if (stageMs >= rateShownAfterMs && bytesPerSecond > 0) {
    parts.push(`${size(bytesPerSecond)}/s`)
    const left = secondsLeftOf(progress, bytesPerSecond)
    if (left !== undefined && left > 0) parts.push(`${duration(left * 1000)} left`)
  }
  if (file !== undefined) parts.push(file.length > 40 ? `…${file.slice(-39)}` : file)
  return printable(parts.join('  '))
}

/** The time left; undefined while the rate or the total is unknown. */
function secondsLeftOf({ doneBytes, totalBytes }: ShownProgress, bytesPerSecond: number): number | undefined {
  if (totalBytes === undefined || bytesPerSecond <= 0) return undefined
  return Math.max(0, totalBytes - doneBytes) / bytesPerSecond
}

/**
 * Measures bytes per second over the last `rateWindowMs`. An average over the whole time would hide a stall.
 */
class Rate {
  #marks: { atMs: number; bytes: number }[] = []

  start(atMs: number, bytes: number): void {
    this.#marks = [{ atMs, bytes }]
  }

  at(atMs: number, bytes: number): number {
    this.#marks.push({ atMs, bytes })
    while (this.#marks.length > 2 && atMs - (this.#marks[0]?.atMs ?? 0) > rateWindowMs) this.#marks.shift()
    const [first] = this.#marks
    if (!first || atMs <= first.atMs) return 0
    return ((bytes - first.bytes) / (atMs - first.atMs)) * 1000
  }
}
