import { FileBuffer, type FileBufferReader } from '../transfer/file-buffer.ts'
import type { Pinned, SystemCalls } from './system-calls.ts'
import type { FromWorker, ToWorker } from './worker-messages.ts'

/** The main thread gets a `discard` message for each step of this many acknowledged octets. */
const discardStepBytes = 128 * 1024

/** The worker's view of a FileBuffer, which the main thread fills. */
export class NativeFileBuffer extends FileBuffer {
  readonly #capacity: number
  readonly #copyOut: (fromAt: number, toAt: number, length: number) => void

  /** `target` is the memory that `copyOut` copies to, from where the octets are sent. */
  constructor(
    message: Extract<ToWorker, { type: 'buffer' }>,
    calls: SystemCalls,
    target: Pinned,
    post: (message: FromWorker) => void,
  ) {
    const { size, filled, bytes } = message
    super(size, bytes, remoteReader(message, post))
    this.filled = filled
    this.#capacity = bytes.length
    this.#copyOut = calls.copier(calls.pin(bytes), target)
  }

  /**
   * Copies octets that are `ready`, like `copy`, but with memcpy: V8 copies shared memory word by word, which
   * takes six times as long.
   */
  copyOut(position: number, length: number, at: number): void {
    const start = position % this.#capacity
    const first = Math.min(length, this.#capacity - start)
    if (first > 0) this.#copyOut(start, at, first)
    if (first < length) this.#copyOut(0, at + first, length - first)
  }
}

/** A reader that sends messages to the main thread, which reads the file. */
function remoteReader(
  { buffer, size, ring }: Extract<ToWorker, { type: 'buffer' }>,
  post: (message: FromWorker) => void,
): FileBufferReader {
  let discarded = 0
  return {
    readOn: () => post({ type: 'readOn', buffer }),
    discardBefore: (position) => {
      if (!ring || (position < discarded + discardStepBytes && position < size)) return
      discarded = position
      post({ type: 'discard', buffer, position })
    },
    acquire: () => undefined,
    release: () => undefined,
  }
}
