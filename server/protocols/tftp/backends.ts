import { Failure } from '../../core/failure.ts'
import { type NativeBackend, openNativeBackend } from './native/native-backend.ts'
import { NodeBackend } from './node/node-backend.ts'
import type { RunningTransfer, TransferBackend, TransferJob } from './transfer/backend.ts'

/**
 * `auto`: the native backend is used where this machine can run it. `off`: never. `required`: `open` fails
 * without it.
 */
export type NativeMode = 'auto' | 'off' | 'required'

/**
 * A transfer of fewer windows is short: it is over before another thread could begin it and report its end.
 */
const shortWindows = 4

/**
 * Chooses the backend of each transfer: the native one for long transfers where it runs, Node's sockets
 * otherwise.
 */
export class Backends implements TransferBackend {
  readonly #mode: NativeMode
  readonly #node = new NodeBackend()
  #native: NativeBackend | undefined
  #opening: Promise<void> | undefined

  constructor(mode: NativeMode) {
    this.#mode = mode
  }

  /**
   * Starts the thread of the native backend, where this machine can run it. Transfers that begin before it runs
   * stay with Node's sockets to their end, so it must not wait for the first of many.
   *
   * @throws Failure `unsupported` when the native backend is required and this machine cannot run it.
   */
  async open(): Promise<void> {
    if (this.#mode === 'off') return
    this.#opening = openNativeBackend().then((backend) => {
      this.#native = backend
    })
    if (this.#mode !== 'required') return
    await this.#opening
    if (!this.#native)
      throw new Failure(
        'unsupported',
        'tftp: the native backend cannot run here: it needs Linux on x64 or arm64 and the package koffi',
      )
  }

  /** Whether the native backend takes transfers. */
  get nativeRuns(): boolean {
    return this.#native?.alive ?? false
  }

  start(job: TransferJob): RunningTransfer {
    // A thread that has ended is not started again.
    return this.#native?.alive && !isShort(job) ? this.#native.start(job) : this.#node.start(job)
  }

  async close(): Promise<void> {
    await this.#node.close()
    await this.#opening
    await this.#native?.close()
  }
}

function isShort({ file, agreed }: TransferJob): boolean {
  return file.size < shortWindows * agreed.windowsize * agreed.blksize
}
