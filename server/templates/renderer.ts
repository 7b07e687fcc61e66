import { Failure } from '../core/failure.ts'
import { lintTemplate, withIncludes } from './lint.ts'
import type { Answer, Question, WorkerSettings } from './message.ts'
import { problemText, type TemplateChecker, type TemplateProblem } from './problem.ts'
import { type Outcome, TemplateThread } from './thread.ts'

export interface RenderJob {
  /** Key in `templates`. */
  readonly name: string
  /** Every template and snippet that exists. Handed to the worker again only when it is another Map than last time. */
  readonly templates: ReadonlyMap<string, string>
  readonly context: Record<string, unknown>
}

export interface RenderedTemplate {
  readonly text: string
  /** What looks wrong in the template and what it includes, though it rendered. */
  readonly warnings: readonly TemplateProblem[]
}

export interface RendererOptions {
  /** For one rendering; default 3000. */
  readonly timeoutMs?: number
  /** For the engine, and twice that for the filters around it; default 64. */
  readonly memoryMiB?: number
}

const startTimeoutMs = 20_000

/** Instructions of the engine for one template: a second of work or so. A kickstart of 1000 lines takes thousands. */
const fuel = 20_000_000

/** The installers' own limits are far lower: dracut and anaconda hold an answer file in memory. */
const longestOutput = 16 * 2 ** 20

/**
 * Renders answer files in a worker thread. A template is text from somebody: it can run no code, read no file and see
 * nothing but its context and its fellow templates; one that runs away costs its time limit and one error, after
 * which a new worker takes over. Jobs wait in line: a rendering takes a fraction of a millisecond.
 */
export class TemplateRenderer implements TemplateChecker {
  readonly #timeoutMs: number
  readonly #settings: WorkerSettings
  #thread: TemplateThread | undefined
  /** What the worker has, or the next one will get. */
  #loaded: ReadonlyMap<string, string> | undefined
  #refused: ReadonlyMap<string, TemplateProblem> = new Map()
  #broken: readonly TemplateProblem[] = []
  #line: Promise<unknown> = Promise.resolve()
  #closed = false
  readonly #warnings = new WeakMap<ReadonlyMap<string, string>, Map<string, readonly TemplateProblem[]>>()

  constructor(options: RendererOptions = {}) {
    this.#timeoutMs = options.timeoutMs ?? 3000
    this.#settings = {
      memoryMiB: options.memoryMiB ?? 64,
      fuel,
      longestOutput,
      progress: new Int32Array(new SharedArrayBuffer(4)),
    }
  }

  /**
   * @throws Failure `invalid-data` when the template is at fault, with `template:line: what (remedy)` as message and
   *   the TemplateProblem as cause; `unavailable` after `close`; `internal` when the worker does not start.
   */
  async render(job: RenderJob): Promise<RenderedTemplate> {
    return this.#inLine(async () => {
      await this.#load(job.templates)
      const outcome = await this.#ask({ kind: 'render', name: job.name, context: job.context })
      if (outcome.kind === 'answer' && outcome.answer.kind === 'text')
        return { text: outcome.answer.text, warnings: this.#warningsOf(job) }
      throw templateFailure(this.#problemOf(outcome, job.name))
    })
  }

  /** Every template that does not parse, with its line. */
  async check(templates: ReadonlyMap<string, string>): Promise<readonly TemplateProblem[]> {
    return this.#inLine(async () => {
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

  async #inLine<T>(job: () => Promise<T>): Promise<T> {
    const mine = this.#line.then(() => {
      if (this.#closed) throw new Failure('unavailable', 'the template renderer is closed')
      return job()
    })
    this.#line = mine.catch(() => undefined)
    return mine
  }

  /**
   * Parsing runs constant expressions, so one template may bring the worker down before anything is rendered. It is
   * left out then, and all others go on working.
   */
  async #load(templates: ReadonlyMap<string, string>): Promise<void> {
    if (this.#loaded !== templates) this.#refused = new Map()
    else if (this.#thread) return
    this.#loaded = templates
    const names = [...templates.keys()]
    for (;;) {
      Atomics.store(this.#settings.progress, 0, -1)
      const outcome = await this.#ask({ kind: 'load', templates, refused: this.#refused })
      if (outcome.kind === 'answer' && outcome.answer.kind === 'loaded') {
        this.#broken = outcome.answer.broken
        return
      }
      const culprit = names[Atomics.load(this.#settings.progress, 0)]
      const problem = this.#problemOf(outcome, culprit ?? '')
      if (culprit === undefined || this.#refused.has(culprit))
        throw new Failure('internal', `cannot load the templates: ${problem.message}`)
      this.#refused = new Map(this.#refused).set(culprit, problem)
    }
  }

  #problemOf(outcome: Outcome, template: string): TemplateProblem {
    if (outcome.kind === 'answer' && outcome.answer.kind === 'problem') return outcome.answer.problem
    const at = { template, line: 1, severity: 'error' } as const
    if (outcome.kind === 'timeout')
      return {
        ...at,
        message: `it did not end within ${this.#timeoutMs} ms`,
        remedy: 'look for nested loops, and for regular expressions with nested repetition',
      }
    if (outcome.kind === 'died') return { ...at, message: outcome.message }
    const { answer } = outcome
    return { ...at, message: answer.kind === 'panic' ? answer.message : `the worker answered ${answer.kind}` }
  }

  async #ask(question: Question): Promise<Outcome> {
    this.#thread ??= new TemplateThread(this.#settings, startTimeoutMs)
    const thread = this.#thread
    const outcome = await thread.ask(question, this.#timeoutMs)
    if (this.#closed) throw new Failure('unavailable', 'the template renderer is closed')
    if (outcome.kind !== 'answer' || this.#isSpent(outcome.answer)) {
      this.#thread = undefined
      await thread.stop()
    }
    return outcome
  }

  /** WebAssembly memory never shrinks: a worker that had to take much is replaced, and the process is small again. */
  #isSpent(answer: Answer): boolean {
    if (answer.kind === 'panic') return true
    if (answer.kind !== 'text' && answer.kind !== 'problem') return false
    return answer.memoryBytes > (this.#settings.memoryMiB * 2 ** 20) / 2
  }

  #warningsOf(job: RenderJob): readonly TemplateProblem[] {
    const known = this.#warnings.get(job.templates) ?? new Map<string, readonly TemplateProblem[]>()
    this.#warnings.set(job.templates, known)
    const warnings =
      known.get(job.name) ??
      withIncludes(job.name, job.templates).flatMap((name) => lintTemplate(name, job.templates))
    known.set(job.name, warnings)
    return warnings
  }
}

export function templateFailure(problem: TemplateProblem): Failure {
  return new Failure('invalid-data', problemText(problem), { cause: problem })
}
