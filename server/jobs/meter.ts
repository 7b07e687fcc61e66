import type { Progress, Retry } from '../intake/import/progress.ts'

/** How far a job is. */
export interface JobProgress extends Progress {
  /** Bytes a second, over the last seconds; undefined until it is known. */
  readonly rate?: number
  readonly secondsLeft?: number
  /** Why it waits now, and until when. */
  readonly retry?: { readonly why: string; readonly untilMs: number }
}

const sampleEveryMs = 1000
const mostSamples = 10

/** Keeps the newest progress of a job, and measures how fast it is. */
export class Meter {
  readonly #clock: () => number
  #latest: Progress | undefined
  #samples: { readonly atMs: number; readonly bytes: number }[] = []
  #retry: JobProgress['retry']

  constructor(clock: () => number) {
    this.#clock = clock
  }

  readonly show = (progress: Progress): void => {
    const atMs = this.#clock()
    const { stage, doneBytes } = progress
    // Each stage counts its own bytes.
    if (stage !== this.#latest?.stage || doneBytes < this.#latest.doneBytes) this.#samples = []
    this.#latest = progress
    this.#retry = undefined
    if (atMs - (this.#samples.at(-1)?.atMs ?? 0) < sampleEveryMs) return
    this.#samples.push({ atMs, bytes: doneBytes })
    if (this.#samples.length > mostSamples) this.#samples.shift()
  }

  readonly retry = ({ why, waitMs }: Retry): void => {
    this.#retry = { why, untilMs: this.#clock() + waitMs }
  }

  get now(): JobProgress | undefined {
    const latest = this.#latest
    const retry = this.#retry && { retry: this.#retry }
    if (!latest) return retry && { stage: 'fetching', doneBytes: 0, ...retry }
    const [first] = this.#samples
    const seconds = first ? (this.#clock() - first.atMs) / 1000 : 0
    const rate = first && seconds >= 1 ? (latest.doneBytes - first.bytes) / seconds : undefined
    const left =
      latest.totalBytes === undefined ? undefined : Math.max(0, latest.totalBytes - latest.doneBytes)
    return {
      ...latest,
      ...retry,
      ...(rate !== undefined && { rate: Math.round(rate) }),
      ...(rate !== undefined && rate > 0 && left !== undefined && { secondsLeft: Math.ceil(left / rate) }),
    }
  }
}
