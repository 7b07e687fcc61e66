import type { TemplateProblem } from './problem.ts'

/** A message from the renderer to its worker. The worker sends one `WorkerResult` for each request. */
export type WorkerRequest =
  | {
      readonly kind: 'load'
      readonly templates: ReadonlyMap<string, string>
      /** Templates that ended a worker before, and how. They are not parsed again. */
      readonly refused: ReadonlyMap<string, TemplateProblem>
    }
  | { readonly kind: 'render'; readonly name: string; readonly context: Record<string, unknown> }

/** A message from the worker to the renderer. */
export type WorkerResult =
  /** The first message: the engine has started. */
  | { readonly kind: 'ready' }
  /** `broken` has all templates that do not parse. */
  | { readonly kind: 'loaded'; readonly broken: readonly TemplateProblem[] }
  | { readonly kind: 'text'; readonly text: string; readonly memoryBytes: number }
  | { readonly kind: 'problem'; readonly problem: TemplateProblem; readonly memoryBytes: number }
  /** The engine panicked: later results of this worker cannot be trusted. */
  | { readonly kind: 'panic'; readonly message: string }

export interface EngineLimits {
  /** The most instructions that the engine may execute for one rendering. */
  readonly fuel: number
  /** When the filters that take long give up, after the beginning of a rendering. */
  readonly hashingMs: number
}

export interface WorkerSettings extends EngineLimits {
  readonly memoryMiB: number
  /** In characters. A longer output is a problem of the template. */
  readonly longestOutput: number
  /**
   * One number: the index of the template that is being parsed. The renderer can read it after the worker
   * has ended.
   */
  readonly progress: Int32Array<SharedArrayBuffer>
}
