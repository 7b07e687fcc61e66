/** How far a long piece of work is. Bytes are told often; whoever shows them decides how often people want to know. */
export interface Progress {
  readonly stage: 'reading' | 'fetching' | 'verifying' | 'publishing'
  readonly doneBytes: number
  /** Undefined while nobody knows. */
  readonly totalBytes?: number
  readonly files?: number
  /** The file that is being worked on. */
  readonly file?: string
}

export type OnProgress = (progress: Progress) => void
