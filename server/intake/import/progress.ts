import type { BootTestProgress, OnBootTest } from '../../core/boottest/progress.ts'

/**
 * How far an import, a mirror or a verification is. It is reported for each piece of data; the display
 * limits the rate.
 */
export interface Progress {
  /** `testing`: what has arrived is whole, and machines boot from it. */
  readonly stage: 'reading' | 'fetching' | 'verifying' | 'testing'
  readonly doneBytes: number
  /** Undefined while it is not known. */
  readonly totalBytes?: number
  /** How many files were read or fetched, with or without the present one. */
  readonly files?: number
  /** The file that is being worked on. */
  readonly file?: string
  /** How far the boot test is, while `testing`. */
  readonly bootTest?: BootTestProgress
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

/** Tells how far a boot test is. */
export function testProgress(onProgress: OnProgress): OnBootTest {
  return (bootTest) => onProgress({ stage: 'testing', doneBytes: 0, bootTest })
}
