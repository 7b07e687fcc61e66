/**
 * How far an import, a mirror or a verification is. It is reported for each piece of data; the display
 * limits the rate.
 */
export interface Progress {
  readonly stage: 'reading' | 'fetching' | 'verifying'
  readonly doneBytes: number
  /** Undefined while it is not known. */
  readonly totalBytes?: number
  /** How many files were read or fetched, with or without the present one. */
  readonly files?: number
  /** The file that is being worked on. */
  readonly file?: string
}

export type OnProgress = (progress: Progress) => void
