import type { TransferResult } from '../transfer/backend.ts'

/** The messages between the main thread (native-backend.ts) and the native backend's thread (worker.ts). */

export type ToWorker =
  /** A FileBuffer, before the first job that sends from it. `filled` of its `size` octets have been read. */
  | {
      readonly type: 'buffer'
      readonly buffer: number
      readonly size: number
      readonly filled: number
      readonly bytes: Uint8Array
      /** Whether the main thread needs `discard` messages. */
      readonly ring: boolean
    }
  /** The main thread has read the octets before `filled`. */
  | { readonly type: 'filled'; readonly buffer: number; readonly filled: number }
  /** The file cannot be read: the code and text of the ERROR for its clients. */
  | { readonly type: 'unreadable'; readonly buffer: number; readonly code: number; readonly text: string }
  /** No job uses the buffer any more. */
  | { readonly type: 'dropBuffer'; readonly buffer: number }
  | {
      readonly type: 'start'
      readonly job: number
      readonly buffer: number
      readonly family: 4 | 6
      /** Each a `struct sockaddr`. */
      readonly local: Uint8Array
      readonly remote: Uint8Array
      readonly blksize: number
      readonly windowsize: number
      readonly timeoutMs: number
      readonly oack: Uint8Array | undefined
    }
  /** End the job, with or without an ERROR to the client. */
  | { readonly type: 'abort' | 'drop'; readonly job: number; readonly reason: string }
  | { readonly type: 'close' }

export type FromWorker =
  /** The worker runs. `event` is the eventfd that wakes it. */
  | { readonly type: 'ready'; readonly event: number }
  /** This machine cannot run the worker. */
  | { readonly type: 'unavailable' }
  /** A transfer waits for octets that have not been read. */
  | { readonly type: 'readOn'; readonly buffer: number }
  /** No transfer needs the octets before `position` any more. */
  | { readonly type: 'discard'; readonly buffer: number; readonly position: number }
  | {
      readonly type: 'ended'
      readonly job: number
      readonly end: TransferResult['end']
      readonly bytes: number
      readonly retries: number
      readonly detail: string | undefined
    }
  | { readonly type: 'closed' }

export type StartMessage = Extract<ToWorker, { type: 'start' }>
export type EndedMessage = Extract<FromWorker, { type: 'ended' }>

/** Memory that both threads use. */
export interface Shared {
  /**
   * At `sleepingAt`: 1 while the worker waits in the kernel, where only the eventfd wakes it. At
   * `messagesAt`: 1 when there are messages that it has not read.
   */
  readonly words: Int32Array
  /**
   * At a job's number modulo `jobSlots`: when its client's last packet came, in ms since 1970; 0 before its
   * first.
   */
  readonly lastPacket: Float64Array
}
export const sleepingAt = 0
export const messagesAt = 1
/** The number of `words`. */
export const sharedWords = 2
/** The number of slots in `lastPacket`. */
export const jobSlots = 4096
