import type { TemplateProblem } from './problem.ts'

/** The messages between the renderer and its worker. One question at a time, each with one answer. */
export type Question =
  | {
      readonly kind: 'load'
      readonly templates: ReadonlyMap<string, string>
      /** Templates that crashed a worker before, and how. */
      readonly refused: ReadonlyMap<string, TemplateProblem>
    }
  | { readonly kind: 'render'; readonly name: string; readonly context: Record<string, unknown> }

export type Answer =
  | { readonly kind: 'ready' }
  /** `broken` has all templates that do not parse. */
  | { readonly kind: 'loaded'; readonly broken: readonly TemplateProblem[] }
  | { readonly kind: 'text'; readonly text: string; readonly memoryBytes: number }
  | { readonly kind: 'problem'; readonly problem: TemplateProblem; readonly memoryBytes: number }
  /** The engine panicked: later results of this worker cannot be trusted. */
  | { readonly kind: 'panic'; readonly message: string }

export interface WorkerSettings {
  readonly memoryMiB: number
  readonly fuel: number
  /** In characters. */
  readonly longestOutput: number
  /** The index of the template that is being parsed. It can be read after the worker has ended. */
  readonly progress: Int32Array<SharedArrayBuffer>
}
