import type { Worker } from 'node:worker_threads'
import { startWorker } from '../host/worker.ts'
import type { WorkerRequest, WorkerResult, WorkerSettings } from './message.ts'

/** How a request to the worker ended. */
export type Outcome =
  | { readonly kind: 'result'; readonly result: WorkerResult }
  | { readonly kind: 'timeout' }
  /** `working`: it died while it did what was asked, and not while it started. */
  | { readonly kind: 'died'; readonly message: string; readonly working: boolean }

/**
 * A worker thread with the template engine. It gives one outcome for each request. After the outcome
 * `timeout` or `died` the thread has ended, and the renderer must start another.
 */
export class TemplateThread {
  readonly #worker: Worker
  readonly #ready: Promise<Outcome>
  /** Gives the outcome to the caller that waits. */
  #settle: ((outcome: Outcome) => void) | undefined
  #working = false
  /** How the thread ended: the outcome of every later request. */
  #ending: Outcome | undefined

  constructor(settings: WorkerSettings, startTimeoutMs: number) {
    this.#worker = startWorker(import.meta.url, './worker', {
      workerData: settings,
      // The worker sees no environment variables, and what it prints goes nowhere.
      env: {},
      stdout: true,
      stderr: true,
      // The JavaScript heap, which our filters use. wasm.ts limits the memory of the engine.
      resourceLimits: {
        maxOldGenerationSizeMb: Math.max(64, 2 * settings.memoryMiB),
        maxYoungGenerationSizeMb: 16,
      },
    })
    this.#worker.on('message', (result: WorkerResult) => this.#settle?.({ kind: 'result', result }))
    this.#worker.on('error', (error: Error) => this.#die(deathMessage(error, settings)))
    this.#worker.on('exit', () => this.#die('the template worker ended'))
    this.#ready = this.#nextOutcome(startTimeoutMs)
  }

  /** Waits until the worker runs, then sends the request. The time limit begins with the sending. */
  async send(request: WorkerRequest, timeoutMs: number): Promise<Outcome> {
    const start = await this.#ready
    if (start.kind === 'timeout')
      return { kind: 'died', message: 'the template worker did not start in time', working: false }
    if (start.kind === 'died') return start
    if (this.#ending) return this.#ending
    const outcome = this.#nextOutcome(timeoutMs)
    this.#working = true
    this.#worker.postMessage(request)
    return outcome
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }

  #nextOutcome(timeoutMs: number): Promise<Outcome> {
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
        this.#working = false
        this.#worker.unref()
        resolve(outcome)
      }
    })
  }

  #timeout(): void {
    if (!this.#settle) return
    this.#ending = { kind: 'timeout' }
    void this.#worker.terminate()
    this.#settle(this.#ending)
  }

  #die(message: string): void {
    this.#ending ??= { kind: 'died', message, working: this.#working }
    this.#settle?.(this.#ending)
  }
}

function deathMessage(error: Error & { code?: string }, settings: WorkerSettings): string {
  if (error.code === 'ERR_WORKER_OUT_OF_MEMORY')
    return `the template needs more than ${settings.memoryMiB} MiB of memory`
  return `the template worker failed: ${error.message}`
}
