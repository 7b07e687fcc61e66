import type { Worker } from 'node:worker_threads'
import { startWorker } from '../host/worker.ts'
import type { Answer, Question, WorkerSettings } from './message.ts'

/** How a question to the worker ended. */
export type Outcome =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'died'; readonly message: string }

/**
 * A worker thread that gives one outcome for each question. After `timeout` or `died` it has ended, and is
 * replaced.
 */
export class TemplateThread {
  readonly #worker: Worker
  readonly #ready: Promise<Outcome>
  #settle: ((outcome: Outcome) => void) | undefined
  #gone: Outcome | undefined

  constructor(settings: WorkerSettings, startTimeoutMs: number) {
    this.#worker = startWorker(import.meta.url, './worker', {
      workerData: settings,
      env: {},
      stdout: true,
      stderr: true,
      resourceLimits: {
        maxOldGenerationSizeMb: Math.max(64, 2 * settings.memoryMiB),
        maxYoungGenerationSizeMb: 16,
      },
    })
    this.#worker.on('message', (answer: Answer) => this.#end({ kind: 'answer', answer }))
    this.#worker.on('error', (error: Error) => this.#die(deathMessage(error, settings)))
    this.#worker.on('exit', () => this.#die('the template worker ended'))
    this.#ready = this.#next(startTimeoutMs)
  }

  /** Waits until the worker runs, then asks. The time limit begins at that moment. */
  async ask(question: Question, timeoutMs: number): Promise<Outcome> {
    const start = await this.#ready
    if (start.kind !== 'answer') return start
    if (this.#gone) return this.#gone
    const next = this.#next(timeoutMs)
    this.#worker.postMessage(question)
    return next
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }

  #next(timeoutMs: number): Promise<Outcome> {
    // The thread keeps the process alive only while a caller waits.
    this.#worker.ref()
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        // If this process was blocked, the result may already be in the queue. `setImmediate` lets it arrive
        // first.
        setImmediate(() => this.#timeout())
      }, timeoutMs)
      this.#settle = (outcome) => {
        clearTimeout(timer)
        this.#settle = undefined
        this.#worker.unref()
        resolve(outcome)
      }
    })
  }

  #timeout(): void {
    if (!this.#settle) return
    this.#gone = { kind: 'timeout' }
    void this.#worker.terminate()
    this.#end(this.#gone)
  }

  #die(message: string): void {
    this.#gone ??= { kind: 'died', message }
    this.#end(this.#gone)
  }

  #end(outcome: Outcome): void {
    this.#settle?.(outcome)
  }
}

function deathMessage(error: Error & { code?: string }, settings: WorkerSettings): string {
  if (error.code === 'ERR_WORKER_OUT_OF_MEMORY')
    return `the template needs more than ${settings.memoryMiB} MiB of memory`
  return `the template worker failed: ${error.message}`
}
