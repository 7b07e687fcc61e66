import type { TemplateProblem } from './problem.ts'

/** What the renderer and its worker say to each other. One question at a time, each with one answer. */
export type Question =
  | {
      readonly kind: 'load'
      readonly templates: ReadonlyMap<string, string>
      /** Templates that brought a worker down before, and how. */
      readonly refused: ReadonlyMap<string, TemplateProblem>
    }
  | { readonly kind: 'render'; readonly name: string; readonly context: Record<string, unknown> }

export type Answer =
  | { readonly kind: 'ready' }
  /** Every template that does not even parse. */
  | { readonly kind: 'loaded'; readonly broken: readonly TemplateProblem[] }
  | { readonly kind: 'text'; readonly text: string; readonly memoryBytes: number }
  | { readonly kind: 'problem'; readonly problem: TemplateProblem; readonly memoryBytes: number }
  /** The engine panicked: nothing that this worker says from now on can be trusted. */
  | { readonly kind: 'panic'; readonly message: string }

export interface WorkerSettings {
  readonly memoryMiB: number
  readonly fuel: number
  /** Characters. */
  readonly longestOutput: number
  /** One number: which template is being parsed, counted from 0. Readable when the worker is not there any more. */
  readonly progress: Int32Array<SharedArrayBuffer>
}
