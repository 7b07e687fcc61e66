import { defined } from '../core/defined.ts'
import { Failure, failureKind, failureMessage } from '../core/failure.ts'
import { Cancelled, type OnProgress, type OnRetry } from '../intake/import/progress.ts'
import { boundedLine, boundedOutcome } from './bounded-outcome.ts'
import { isOpen, type JobOutcome, type JobRecord, type JobRequest, type JobState, subjectOf } from './job.ts'
import { JobFolder } from './job-folder.ts'
import { type JobProgress, Meter } from './meter.ts'
import { refuseTooMany } from './most-jobs.ts'

/** A job, and how far it is. */
export interface Job extends JobRecord {
  /** Undefined unless it runs. */
  readonly progress?: JobProgress
  /** How many jobs are before it; undefined unless it waits. */
  readonly place?: number
}

/** What the work of a job gets. */
export interface JobRun {
  readonly request: JobRequest
  readonly by: string
  readonly signal: AbortSignal
  readonly onProgress: OnProgress
  readonly onRetry: OnRetry
}

export interface JobsOptions {
  /** `data/jobs`. */
  readonly folder: () => string
  /** @throws Failure as imports do. */
  readonly run: (run: JobRun) => Promise<JobOutcome>
  /** A job of a person that fails by our own fault is told here; also what cannot be written. */
  readonly onTrouble: (error: unknown) => void
  readonly clock?: () => number
  /** How many run at once. Default: 2, because each reads and writes as fast as the disk can. */
  readonly atOnce?: number
}

/** How long ended jobs are kept, and how many. */
const keptMs = 7 * 86_400_000
const mostKept = 1000

/** Why the work of a job was broken off: by a person for a while, or by the end of the server. */
class Paused extends Error {}
class Stopped extends Error {}

interface Running {
  readonly aborter: AbortController
  readonly meter: Meter
  readonly end: Promise<void>
}

/**
 * Imports, mirrors, verifications, publications and boot tests that run for minutes: so many at once, the others wait in the
 * order in which they came. Each is on the disk before it is acknowledged. What ran when the server ended has failed, and can be
 * started again: imports go on where they stopped.
 */
export class Jobs {
  readonly #options: JobsOptions
  readonly #clock: () => number
  readonly #jobs = new Map<number, JobRecord>()
  readonly #running = new Map<number, Running>()
  /** Called when a job neither waits nor runs any more. */
  readonly #waiters = new Map<number, (() => void)[]>()
  #folder: JobFolder | undefined
  #next = 1
  #stopping = false
  /** Writes follow one another, so the file of a job never gets an older state last. */
  #writing: Promise<unknown> = Promise.resolve()

  constructor(options: JobsOptions) {
    this.#options = options
    this.#clock = options.clock ?? Date.now
  }

  /** Reads the jobs of earlier runs of the server, and goes on with those that waited. */
  async open(): Promise<void> {
    const folder = new JobFolder(this.#options.folder())
    const { records, highest } = await folder.read()
    this.#folder = folder
    this.#next = highest + 1
    for (const record of records) this.#jobs.set(record.number, record)
    for (const record of records)
      if (record.state === 'running') await this.#keep(ended(record, 'failed', this.#clock(), stoppedProblem))
    await this.#prune()
    this.#runNext()
  }

  /** Breaks off what runs, and waits for its end. */
  async close(): Promise<void> {
    this.#stopping = true
    for (const { aborter } of this.#running.values()) aborter.abort(new Stopped('the server was stopped'))
    await Promise.all([...this.#running.values()].map(({ end }) => end))
    await this.#writing
    for (const waiters of this.#waiters.values()) for (const resolve of waiters) resolve()
  }

  /** Newest first. */
  list(): readonly Job[] {
    return [...this.#jobs.keys()].sort((a, b) => b - a).map((number) => this.read(number))
  }

  /** @throws Failure `not-found`. */
  read(number: number): Job {
    const record = this.#jobs.get(number)
    if (!record)
      throw new Failure('not-found', `no job ${number}; it may have ended more than seven days ago`)
    return {
      ...record,
      ...defined({ progress: this.#running.get(number)?.meter.now, place: this.#place(record) }),
    }
  }

  /** How many of its kind come before a job that waits. */
  #place(record: JobRecord): number | undefined {
    if (record.state !== 'waiting') return undefined
    const isBefore = (each: JobRecord): boolean =>
      each.state === 'waiting' && each.number < record.number && isTest(each) === isTest(record)
    return [...this.#jobs.values()].filter(isBefore).length
  }

  /** The job that does this already, and has not ended. */
  openJob(request: JobRequest): Job | undefined {
    const same = [...this.#jobs.values()].find(
      (each) =>
        isOpen(each) && each.request.kind === request.kind && subjectOf(each.request) === subjectOf(request),
    )
    return same && this.read(same.number)
  }

  /** Whether one that has not ended will publish this upload, or a part of it. */
  awaits(upload: string): boolean {
    return [...this.#jobs.values()].some((each) => {
      const { request } = each
      const path = request.kind === 'import' || request.kind === 'publish' ? request.upload : undefined
      return isOpen(each) && path?.replace(/^\//, '').split('/')[0] === upload
    })
  }

  /**
   * Makes a job, which runs when its turn comes. Resolves when it is on the disk.
   *
   * @throws Failure `conflict` while another job does the same, `too-many` while a hundred have not ended.
   */
  async start(request: JobRequest, by: string): Promise<Job> {
    if (!this.#folder || this.#stopping)
      throw new Failure('unavailable', 'the server starts or stops just now')
    this.#refuseSecond(request)
    refuseTooMany(this.#jobs.values(), request.kind)
    const number = this.#next++
    const fresh = { number, request, by, state: 'waiting', createdMs: this.#clock() } as const
    await this.#keepOrForget({ ...fresh, lines: [], trees: [] })
    await this.#prune()
    this.#runNext()
    return this.read(number)
  }

  /**
   * Starts a job again that failed, was cancelled, quarantined or paused.
   *
   * @param accept Why it shall be published in spite of its faults.
   */
  async again(number: number, by: string, accept?: string): Promise<Job> {
    const record = this.read(number)
    const { state, request, createdMs } = record
    if (state === 'waiting' || state === 'running' || state === 'done')
      throw new Failure('conflict', `job ${number} is ${state}`)
    if (accept !== undefined && (request.kind === 'verify' || request.kind === 'boot-test'))
      throw new Failure('bad-request', `a ${nouns[request.kind]} publishes nothing that could be accepted`)
    if (state !== 'paused') {
      this.#refuseSecond(request)
      refuseTooMany(this.#jobs.values(), request.kind)
    }
    const wanted = accept === undefined ? request : { ...request, accept }
    await this.#keep({ number, request: wanted, by, state: 'waiting', createdMs, lines: [], trees: [] })
    this.#runNext()
    return this.read(number)
  }

  /** Ends a job that waits, runs or is paused. What it has fetched stays for a while, see `treeboot trees gc`. */
  async cancel(number: number): Promise<Job> {
    return this.#breakOff(number, 'cancelled', new Cancelled('the job was cancelled'))
  }

  /** Breaks a job off until it is started again. */
  async pause(number: number): Promise<Job> {
    return this.#breakOff(number, 'paused', new Paused('the job was paused'))
  }

  /** Makes a job and waits for its end. One that does the same already, or is paused, will do. */
  async run(request: JobRequest, by: string): Promise<void> {
    if (this.openJob(request)) return
    const { number } = await this.start(request, by)
    await this.whenSettled(number)
  }

  /** Resolves to the job when it neither waits nor runs. */
  async whenSettled(number: number): Promise<Job> {
    const { state } = this.read(number)
    if ((state === 'waiting' || state === 'running') && !this.#stopping)
      await new Promise<void>((resolve) => {
        this.#waiters.set(number, [...(this.#waiters.get(number) ?? []), resolve])
      })
    return this.read(number)
  }

  async #breakOff(number: number, state: 'cancelled' | 'paused', why: Error): Promise<Job> {
    const record = this.read(number)
    if (!isOpen(record) || record.state === state)
      throw new Failure('conflict', `job ${number} is ${record.state}`)
    const running = this.#running.get(number)
    if (!running) await this.#keep(ended(record, state, this.#clock()))
    else {
      running.aborter.abort(why)
      // It may have come to its end in this very moment: then that counts.
      await running.end
    }
    return this.read(number)
  }

  #refuseSecond(request: JobRequest): void {
    const same = this.openJob(request)
    if (!same) return
    const expected = `the end of job ${same.number}, which is ${same.state} and does the same`
    throw new Failure('conflict', `job ${same.number} does this already: it is ${same.state}`, {
      details: [{ field: `/api/v1/jobs/${same.number}`, found: same.state, expected }],
    })
  }

  #runNext(): void {
    if (this.#stopping) return
    const waiting = [...this.#jobs.values()]
      .filter(({ state, number }) => state === 'waiting' && !this.#running.has(number))
      .sort((a, b) => a.number - b.number)
    const tests = waiting.filter(isTest).slice(0, this.#places(true))
    const others = waiting.filter((each) => !isTest(each)).slice(0, this.#places(false))
    for (const record of [...tests, ...others]) {
      const aborter = new AbortController()
      const meter = new Meter(this.#clock)
      const end = this.#run(record, aborter.signal, meter).finally(() => {
        this.#running.delete(record.number)
        this.#tellSettled(record.number)
        this.#runNext()
      })
      this.#running.set(record.number, { aborter, meter, end })
    }
  }

  /** How many more may run. One boot test runs at a time, and keeps no import waiting. */
  #places(areTests: boolean): number {
    const { atOnce = 2 } = this.#options
    const running = [...this.#running.keys()].map((number) => this.#jobs.get(number))
    const same = running.filter((record) => record !== undefined && isTest(record) === areTests)
    return Math.max(0, (areTests ? 1 : atOnce) - same.length)
  }

  async #run(waiting: JobRecord, signal: AbortSignal, meter: Meter): Promise<void> {
    const { request, by } = waiting
    const record: JobRecord = { ...waiting, state: 'running', startedMs: this.#clock() }
    try {
      // When this cannot be written, nothing would tell after a crash that it ran.
      await this.#keep(record)
      signal.throwIfAborted()
      const run = { request, by, signal, onProgress: meter.show, onRetry: meter.retry }
      const outcome = await this.#options.run(run)
      const end = ended(record, outcome.state, this.#clock())
      await this.#keepAtEnd({ ...end, ...boundedOutcome(outcome) })
    } catch (error) {
      await this.#keepAtEnd(this.#brokenOff(record, signal, error))
    }
  }

  #brokenOff(record: JobRecord, { aborted, reason }: AbortSignal, error: unknown): JobRecord {
    const nowMs = this.#clock()
    if (aborted && reason instanceof Cancelled) return ended(record, 'cancelled', nowMs)
    if (aborted && reason instanceof Paused) return ended(record, 'paused', nowMs)
    if (aborted) return ended(record, 'failed', nowMs, stoppedProblem)
    const kind = failureKind(error)
    // Of what we did not foresee the log has the words: they may name folders of this machine.
    if (kind === 'internal') this.#options.onTrouble(error)
    const message =
      kind === 'internal' ? 'something went wrong in the server; see its log' : failureMessage(error)
    return ended(record, 'failed', nowMs, { kind, message: boundedLine(message) })
  }

  /** A job that cannot be written is none. */
  async #keepOrForget(record: JobRecord): Promise<void> {
    try {
      await this.#keep(record)
    } catch (error) {
      this.#jobs.delete(record.number)
      throw error
    }
  }

  /** Its end counts also when it cannot be written: after a restart it has failed then. */
  async #keepAtEnd(record: JobRecord): Promise<void> {
    await this.#keep(record).catch((error: unknown) => this.#options.onTrouble(error))
  }

  #keep(record: JobRecord): Promise<void> {
    this.#jobs.set(record.number, record)
    const written = this.#writing.then(() => this.#folder?.write(record))
    this.#writing = written.catch(() => undefined)
    return written
  }

  #tellSettled(number: number): void {
    const waiters = this.#waiters.get(number) ?? []
    this.#waiters.delete(number)
    for (const resolve of waiters) resolve()
  }

  /** Forgets the oldest of those that have ended. */
  async #prune(): Promise<void> {
    const nowMs = this.#clock()
    const over = [...this.#jobs.values()].filter((each) => !isOpen(each)).sort((a, b) => b.number - a.number)
    const old = over.filter(({ endedMs = 0 }, at) => at >= mostKept || nowMs - endedMs > keptMs)
    for (const { number } of old) {
      this.#jobs.delete(number)
      await this.#folder?.remove(number).catch((error: unknown) => this.#options.onTrouble(error))
    }
  }
}

function isTest({ request }: Pick<JobRecord, 'request'>): boolean {
  return request.kind === 'boot-test'
}

const nouns = { verify: 'verification', 'boot-test': 'boot test' } as const

const stoppedProblem = { kind: 'unavailable', message: 'the server was stopped' }

function ended(
  record: JobRecord,
  state: JobState,
  endedMs: number,
  problem?: JobRecord['problem'],
): JobRecord {
  const { problem: _, ...rest } = record
  return { ...rest, state, endedMs, ...defined({ problem }) }
}
