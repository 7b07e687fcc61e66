import { Failure } from '../core/failure.ts'
import { configurationLimits } from '../core/limits/configuration.ts'
import { withIncludes } from './includes.ts'
import { lintTemplate } from './lint.ts'
import type { WorkerRequest, WorkerResult, WorkerSettings } from './message.ts'
import { problemText, type TemplateChecker, type TemplateProblem } from './problem.ts'
import { type Outcome, TemplateThread } from './thread.ts'

export interface RenderJob {
  /** Key in `templates`. */
  readonly name: string
  /**
   * All templates and snippets. They are sent to the worker again only when this is another Map object than
   * before.
   */
  readonly templates: ReadonlyMap<string, string>
  readonly context: Record<string, unknown>
}

export interface RenderedTemplate {
  readonly text: string
  /** Likely mistakes in the template and its includes that did not prevent the rendering. */
  readonly warnings: readonly TemplateProblem[]
}

export interface RendererOptions {
  /** The time limit for one rendering. Default 3000. */
  readonly timeoutMs?: number
  /** The memory limit for the engine; the filters may use twice as much. Default 64. */
  readonly memoryMiB?: number
  /** The most renderings of one template that wait for the worker. Default 1024. */
  readonly longestLine?: number
  /** How long a template that ended the worker is left alone at first. Default: a minute. */
  readonly retryMs?: number
}

/** A template that ended the worker. */
interface Stopped {
  /** With `againMs`. */
  readonly problem: TemplateProblem
  readonly pauseMs: number
  /** On the clock of `performance.now`. */
  readonly untilMs: number
}

/** The pause before the next try doubles up to this. */
const longestPauseMs = 3_600_000

const startTimeoutMs = 20_000

/**
 * Instructions of the engine for one template: about a second of work. A kickstart of 1000 lines takes
 * thousands.
 */
const fuel = 20_000_000

/** In characters. Installers accept far less: dracut and anaconda keep an answer file in memory. */
const longestOutput = configurationLimits.rendering.bytes

/**
 * Renders answer files in a worker thread. Templates are not trusted: a template can run no code and read no
 * file, and sees only its context and the other templates. Jobs run one after the other: a rendering takes a
 * fraction of a millisecond.
 *
 * A template that does not end, or ends the worker otherwise, costs its time limit. Others must not wait for it again
 * and again, so it is not run for a minute, then for two, up to an hour, or until a template has changed. For ever would
 * be wrong: on a host that stood still a good template ends too late as well.
 */
export class TemplateRenderer implements TemplateChecker {
  readonly #timeoutMs: number
  readonly #settings: WorkerSettings
  #thread: TemplateThread | undefined
  /** The templates that the worker has, or that the next worker will get. */
  #loaded: ReadonlyMap<string, string> | undefined
  #refused: ReadonlyMap<string, TemplateProblem> = new Map()
  /** Templates that ended the worker when they were run last, by name. */
  readonly #stopped = new Map<string, Stopped>()
  readonly #retryMs: number
  /** How many renderings of each template wait or run. */
  readonly #waiting = new Map<string, number>()
  readonly #longestLine: number
  #broken: readonly TemplateProblem[] = []
  /** Resolves when all jobs that were queued so far have ended. */
  #queue: Promise<unknown> = Promise.resolve()
  #closed = false
  readonly #warnings = new WeakMap<ReadonlyMap<string, string>, Map<string, readonly TemplateProblem[]>>()

  constructor(options: RendererOptions = {}) {
    this.#timeoutMs = options.timeoutMs ?? configurationLimits.rendering.ms
    this.#longestLine = options.longestLine ?? 1024
    this.#retryMs = options.retryMs ?? 60_000
    this.#settings = {
      memoryMiB: options.memoryMiB ?? 64,
      fuel,
      // The rest is for the second rendering, which finds the line of an error.
      hashingMs: 0.8 * this.#timeoutMs,
      longestOutput,
      progress: new Int32Array(new SharedArrayBuffer(4)),
    }
  }

  /**
   * @throws Failure `invalid-data` when the template has an error, with `template:line: error (remedy)` as
   *   message and the TemplateProblem as cause; `unavailable` when the template ended the worker, too many
   *   renderings of it wait, or after `close`.
   */
  async render(job: RenderJob): Promise<RenderedTemplate> {
    this.#refuseStopped(job)
    const waiting = this.#waiting.get(job.name) ?? 0
    if (waiting >= this.#longestLine)
      throw new Failure(
        'unavailable',
        `${job.name}: ${waiting} renderings of this template wait; try again later`,
      )
    this.#waiting.set(job.name, waiting + 1)
    try {
      return await this.#enqueue(() => this.#run(job))
    } finally {
      const left = (this.#waiting.get(job.name) ?? 1) - 1
      if (left > 0) this.#waiting.set(job.name, left)
      else this.#waiting.delete(job.name)
    }
  }

  /** The templates that are not run, because they ended a worker, as problems for the operator. */
  get stopped(): readonly TemplateProblem[] {
    return [...this.#stopped.values()].map(({ problem }) => problem)
  }

  async #run(job: RenderJob): Promise<RenderedTemplate> {
    await this.#load(job.templates)
    // It may have ended the worker while this job waited.
    this.#refuseStopped(job)
    const outcome = await this.#send({ kind: 'render', name: job.name, context: job.context })
    if (outcome.kind === 'result' && outcome.result.kind === 'text') {
      this.#stopped.delete(job.name)
      return { text: outcome.result.text, warnings: this.#warningsOf(job) }
    }
    refuseWithoutWorker(outcome)
    const problem = this.#problemOf(outcome, job.name)
    if (!endedWorker(outcome)) throw templateFailure(problem)
    const before = this.#stopped.get(job.name)?.pauseMs
    const pauseMs = Math.min(before === undefined ? this.#retryMs : 2 * before, longestPauseMs)
    const untilMs = performance.now() + pauseMs
    const stopped = { problem: { ...problem, againMs: Date.now() + pauseMs }, pauseMs, untilMs }
    this.#stopped.set(job.name, stopped)
    throw stoppedFailure(stopped)
  }

  #refuseStopped({ name, templates }: RenderJob): void {
    const stopped = this.#stopped.get(name)
    if (!stopped || performance.now() >= stopped.untilMs) return
    if (this.#loaded && hasSameTexts(this.#loaded, templates)) throw stoppedFailure(stopped)
  }

  /** Finds all templates that do not parse, with their lines. */
  async check(templates: ReadonlyMap<string, string>): Promise<readonly TemplateProblem[]> {
    return this.#enqueue(async () => {
      await this.#load(templates)
      return this.#broken
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const thread = this.#thread
    this.#thread = undefined
    await thread?.stop()
  }

  /** Runs a job after all earlier ones. */
  async #enqueue<T>(job: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(() => {
      if (this.#closed) throw new Failure('unavailable', 'the template renderer is closed')
      return job()
    })
    this.#queue = done.catch(() => undefined)
    return done
  }

  /**
   * Loads the templates into the worker. The parser evaluates constant expressions, so one template may crash
   * the worker before anything is rendered. Such a template is left out, and all others work.
   */
  async #load(templates: ReadonlyMap<string, string>): Promise<void> {
    if (this.#loaded !== templates) {
      this.#refused = new Map()
      // Each snapshot has a map of its own, also when only a guest has changed.
      if (!this.#loaded || !hasSameTexts(this.#loaded, templates)) this.#stopped.clear()
    } else if (this.#thread) return
    this.#loaded = templates
    const names = [...templates.keys()]
    for (;;) {
      Atomics.store(this.#settings.progress, 0, -1)
      const outcome = await this.#send({ kind: 'load', templates, refused: this.#refused })
      if (outcome.kind === 'result' && outcome.result.kind === 'loaded') {
        this.#broken = outcome.result.broken
        return
      }
      refuseWithoutWorker(outcome)
      const culprit = names[Atomics.load(this.#settings.progress, 0)]
      const problem = this.#problemOf(outcome, culprit ?? '')
      if (culprit === undefined || this.#refused.has(culprit))
        throw new Failure('internal', `cannot load the templates: ${problem.message}`)
      this.#refused = new Map(this.#refused).set(culprit, problem)
    }
  }

  #problemOf(outcome: Outcome, template: string): TemplateProblem {
    if (outcome.kind === 'result' && outcome.result.kind === 'problem') return outcome.result.problem
    const at = { template, line: 1, severity: 'error' } as const
    if (outcome.kind === 'timeout')
      return {
        ...at,
        message: `the template did not end within ${this.#timeoutMs} ms`,
        remedy: 'look for nested loops, and for regular expressions with nested repetition',
      }
    if (outcome.kind === 'died') return { ...at, message: outcome.message }
    const { result } = outcome
    return { ...at, message: result.kind === 'panic' ? result.message : `the worker returned ${result.kind}` }
  }

  async #send(request: WorkerRequest): Promise<Outcome> {
    this.#thread ??= new TemplateThread(this.#settings, startTimeoutMs)
    const thread = this.#thread
    const outcome = await thread.send(request, this.#timeoutMs)
    if (this.#closed) throw new Failure('unavailable', 'the template renderer is closed')
    if (outcome.kind !== 'result' || this.#isSpent(outcome.result)) {
      this.#thread = undefined
      await thread.stop()
    }
    return outcome
  }

  /**
   * Whether the worker must be replaced. WebAssembly memory never shrinks, so a worker that needed much
   * memory is replaced to give it back.
   */
  #isSpent(result: WorkerResult): boolean {
    if (result.kind === 'panic') return true
    if (result.kind !== 'text' && result.kind !== 'problem') return false
    return result.memoryBytes > (this.#settings.memoryMiB * 2 ** 20) / 2
  }

  #warningsOf(job: RenderJob): readonly TemplateProblem[] {
    const byName = this.#warnings.get(job.templates) ?? new Map<string, readonly TemplateProblem[]>()
    this.#warnings.set(job.templates, byName)
    const warnings =
      byName.get(job.name) ??
      withIncludes(job.name, job.templates).flatMap((name) => lintTemplate(name, job.templates))
    byName.set(job.name, warnings)
    return warnings
  }
}

export function templateFailure(problem: TemplateProblem): Failure {
  return new Failure('invalid-data', problemText(problem), { cause: problem })
}

function stoppedFailure({ problem }: Stopped): Failure {
  return new Failure('unavailable', problemText(problem), { cause: problem })
}

/** A worker that did not start, for want of memory or of time, says nothing about any template: the next one may. */
function refuseWithoutWorker(outcome: Outcome): void {
  if (outcome.kind === 'died' && !outcome.working)
    throw new Failure('unavailable', `no template can be rendered now: ${outcome.message}; try again later`)
}

/** Whether a rendering ended its worker: it took too long or too much memory, or the engine failed. */
function endedWorker(outcome: Outcome): boolean {
  if (outcome.kind === 'result') return outcome.result.kind === 'panic'
  return outcome.kind === 'timeout' || outcome.working
}

function hasSameTexts(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a === b) return true
  return a.size === b.size && [...a].every(([name, text]) => b.get(name) === text)
}
