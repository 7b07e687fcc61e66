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

/** The reason of a signal by which a person gives an import up. After any other reason it may go on later. */
export class Cancelled extends Error {}

/** A pause before something is asked for again. */
export interface Retry {
  /** Why the last try failed, for people. */
  readonly why: string
  /** How long the pause is. */
  readonly waitMs: number
}

export type OnRetry = (retry: Retry) => void

export type OnProgress = (progress: Progress) => void

/** Tells how far a verification is. */
export function verifyProgress(onProgress: OnProgress): (doneBytes: number, totalBytes: number) => void {
  return (doneBytes, totalBytes) => onProgress({ stage: 'verifying', doneBytes, totalBytes })
}
