import { Content, type Producer } from '../transfer/content.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import type { NativeUdp, Pinned } from './system-calls.ts'

/** Octets acknowledged before the reader of a ring hears of it. */
const releaseBytes = 128 * 1024

/** Octets that the main thread has read, or still reads, as the thread of the native carrier sees them. */
export class NativeContent extends Content {
  readonly #udp: NativeUdp
  readonly #memory: Pinned

  constructor(
    message: Extract<ToWorker, { type: 'content' }>,
    udp: NativeUdp,
    tell: (message: FromWorker) => void,
  ) {
    const { content, size, filled, buffer, ring } = message
    let released = 0
    const producer: Producer = {
      pull: () => tell({ type: 'pull', content }),
      release: (position) => {
        if (!ring || (position < released + releaseBytes && position < size)) return
        released = position
        tell({ type: 'release', content, position })
      },
      retain: () => undefined,
      leave: () => undefined,
    }
    super(size, buffer, producer)
    this.filled = filled
    this.#udp = udp
    this.#memory = udp.pin(buffer)
  }

  /** As `copy`. V8 copies shared memory word by word, which takes six times as long. */
  copyTo(position: number, length: number, target: Pinned, at: number): void {
    const capacity = this.#memory.bytes.length
    const start = position % capacity
    const first = Math.min(length, capacity - start)
    if (first > 0) this.#udp.copy(this.#memory, start, first, target, at)
    if (first < length) this.#udp.copy(this.#memory, 0, length - first, target, at + first)
  }
}
