/** What the main thread and the thread of the native carrier say to each other. */

export type ToWorker =
  /** Octets to send, before the first job that sends them. `filled` of `size` are there. */
  | {
      readonly type: 'content'
      readonly content: number
      readonly size: number
      readonly filled: number
      readonly buffer: Uint8Array
      /** Whether progress has to be told by `release`. */
      readonly ring: boolean
    }
  | { readonly type: 'filled'; readonly content: number; readonly filled: number }
  | { readonly type: 'broken'; readonly content: number; readonly code: number; readonly text: string }
  /** No job uses it any more. */
  | { readonly type: 'drop'; readonly content: number }
  | {
      readonly type: 'carry'
      readonly job: number
      readonly content: number
      readonly family: 4 | 6
      /** `struct sockaddr`s. */
      readonly local: Uint8Array
      readonly remote: Uint8Array
      readonly blksize: number
      readonly windowsize: number
      readonly timeoutMs: number
      readonly oack: Uint8Array | undefined
    }
  | { readonly type: 'abort'; readonly job: number; readonly text: string; readonly quietly: boolean }
  | { readonly type: 'close' }

export type FromWorker =
  | { readonly type: 'ready'; readonly bell: number }
  | { readonly type: 'unavailable' }
  /** More octets than are filled are wanted now. */
  | { readonly type: 'pull'; readonly content: number }
  | { readonly type: 'release'; readonly content: number; readonly position: number }
  | {
      readonly type: 'settled'
      readonly job: number
      readonly end: 'done' | 'probed' | 'aborted' | 'silent' | 'failed'
      readonly bytes: number
      readonly detail: string | undefined
    }
  | { readonly type: 'closed' }

/** Memory of both threads. */
export interface Shared {
  /**
   * At `sleeping`: 1 while the worker waits in the kernel, and needs the bell to hear a message. At `waiting`: 1 when there
   * are messages that it has not looked for.
   */
  readonly words: Int32Array
  /** At a job's number modulo `heardSlots`: when its client was last heard, in ms since 1970; 0 for never. */
  readonly heard: Float64Array
}
export const sleeping = 0
export const waiting = 1
export const heardSlots = 4096
