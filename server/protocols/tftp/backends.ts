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

  /** @throws Failure `unsupported` when the native backend is required and this machine cannot run it. */
  async open(): Promise<void> {
    if (this.#mode !== 'required') return
    await this.#openNative()
    if (!this.#native)
      throw new Failure(
        'unsupported',
        'tftp: the native backend cannot run here: it needs Linux on x64 or arm64 and the package koffi',
      )
  }

  start(job: TransferJob): RunningTransfer {
    if (isShort(job)) return this.#node.start(job)
    if (this.#native?.alive) return this.#native.start(job)
    // The first long transfer starts the thread but does not wait for it. Many servers never need the thread.
    if (this.#mode === 'auto') void this.#openNative()
    return this.#node.start(job)
  }

  async close(): Promise<void> {
    await this.#node.close()
    await this.#opening
    await this.#native?.close()
  }

  /** Only once: a thread that has ended is not started again. */
  #openNative(): Promise<void> {
    this.#opening ??= openNativeBackend().then((backend) => {
      this.#native = backend
    })
    return this.#opening
  }
}

function isShort({ file, agreed }: TransferJob): boolean {
  return file.size < shortWindows * agreed.windowsize * agreed.blksize
}
