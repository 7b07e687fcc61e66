import { networkInterfaces } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { Failure } from '../../../core/failure.ts'
import { startWorker } from '../../../host/worker.ts'
import type { RunningTransfer, TransferBackend, TransferJob } from '../transfer/backend.ts'
import type { FileBuffer, FileBufferWaiter } from '../transfer/file-buffer.ts'
import { errorReply } from '../wire/error.ts'
import { toSockaddr } from './sockaddr.ts'
import { loadSystemCalls, type SystemCalls } from './system-calls.ts'
import {
  type EndedMessage,
  type FromWorker,
  jobSlots,
  messagesAt,
  type Shared,
  sharedWords,
  sleepingAt,
  type ToWorker,
} from './worker-messages.ts'

/**
 * The main thread's side of the native backend: it reads files and gives jobs to worker.ts, which sends
 * packets.
 */
export class NativeBackend implements TransferBackend {
  readonly #worker: Worker
  readonly #calls: SystemCalls
  /** The eventfd that wakes the worker. */
  readonly #event: number
  readonly #shared: Shared
  readonly #jobs = new Map<number, RunningJob>()
  readonly #byFile = new Map<FileBuffer, LentBuffer>()
  readonly #byId = new Map<number, LentBuffer>()
  /** Slots of running jobs. There are four times as many slots as `defaultLimits.transfers` of the service. */
  readonly #busySlots = new Set<number>()
  #nextJob = 0
  #nextBuffer = 0
  #onClosed: (() => void) | undefined
  #isEnded = false

  /** For `openNativeBackend` only: `worker` has said that it is ready. */
  constructor(worker: Worker, calls: SystemCalls, event: number, shared: Shared) {
    this.#worker = worker
    this.#calls = calls
    this.#event = event
    this.#shared = shared
    worker.on('message', (message: FromWorker) => this.#handle(message))
    worker.on('error', (error) => this.#workerEnded(error))
    worker.on('exit', () => this.#workerEnded(new Error('the TFTP thread has ended')))
  }

  /** False when the thread has ended: then it takes no more jobs. */
  get alive(): boolean {
    return !this.#isEnded
  }

  start(job: TransferJob): RunningTransfer {
    // A slow job may still have the slot: it runs while thousands of others come and go.
    while (this.#busySlots.has(this.#nextJob % jobSlots)) this.#nextJob++
    const id = this.#nextJob++
    const slot = id % jobSlots
    this.#busySlots.add(slot)
    const { lastPacket } = this.#shared
    lastPacket[slot] = 0
    const buffer = this.#lend(job.file)
    this.#jobs.set(id, { job, buffer })
    this.#post(startMessage(id, buffer.id, job))
    return {
      /** From the worker's clock, ms since 1970, to ours. */
      get lastPacketMs() {
        const at = lastPacket[slot] ?? 0
        return at === 0 ? -1 : at - performance.timeOrigin
      },
      abort: (reason) => this.#post({ type: 'abort', job: id, reason }),
      drop: (reason) => this.#post({ type: 'drop', job: id, reason }),
    }
  }

  async close(): Promise<void> {
    if (this.#isEnded) return
    const closed = new Promise<void>((resolve) => {
      this.#onClosed = resolve
    })
    this.#post({ type: 'close' })
    await closed
    this.#isEnded = true
    await this.#worker.terminate()
  }

  #handle(message: FromWorker): void {
    switch (message.type) {
      case 'readOn':
        this.#byId.get(message.buffer)?.readOn()
        break
      case 'discard':
        this.#byId.get(message.buffer)?.file.discardBefore(message.position)
        break
      case 'ended':
        this.#ended(message)
        break
      case 'closed':
        this.#onClosed?.()
        break
      case 'ready':
      case 'unavailable':
        break
    }
  }

  #ended({ job: id, end, bytes, retries, detail }: EndedMessage): void {
    const running = this.#jobs.get(id)
    if (!running) return
    this.#jobs.delete(id)
    this.#busySlots.delete(id % jobSlots)
    const { job, buffer } = running
    this.#takeBack(buffer)
    if (end === 'failed') {
      const error = buffer.error ?? new Failure('unavailable', detail ?? 'no socket')
      job.onEnd({ end, bytes, retries, error })
    } else job.onEnd(detail === undefined ? { end, bytes, retries } : { end, bytes, retries, detail })
  }

  /** Makes a file known to the worker, unless other transfers use it there already. */
  #lend(file: FileBuffer): LentBuffer {
    let lent = this.#byFile.get(file)
    if (!lent) {
      const id = this.#nextBuffer++
      lent = new LentBuffer(id, file, (message) => this.#post(message))
      this.#byFile.set(file, lent)
      this.#byId.set(id, lent)
      const { size, filled, bytes } = file
      this.#post({ type: 'buffer', buffer: id, size, filled, bytes, ring: bytes.length < size })
    }
    lent.users++
    file.acquire()
    return lent
  }

  #takeBack(lent: LentBuffer): void {
    lent.users--
    // While other transfers use it, `lent` still waits for the file.
    lent.file.release(lent.users === 0 ? lent : undefined)
    if (lent.users > 0) return
    this.#byFile.delete(lent.file)
    this.#byId.delete(lent.id)
    this.#post({ type: 'dropBuffer', buffer: lent.id })
  }

  #post(message: ToWorker): void {
    if (this.#isEnded) return
    this.#worker.postMessage(message)
    const { words } = this.#shared
    Atomics.store(words, messagesAt, 1)
    if (Atomics.load(words, sleepingAt) === 1) this.#calls.signalEvent(this.#event)
  }

  #workerEnded(error: unknown): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#onClosed?.()
    for (const { job, buffer } of this.#jobs.values()) {
      buffer.file.release(buffer)
      buffer.users--
      job.onEnd({ end: 'failed', bytes: 0, error })
    }
    this.#jobs.clear()
  }
}

interface RunningJob {
  readonly job: TransferJob
  readonly buffer: LentBuffer
}

/**
 * A FileBuffer that the worker sends from. The main thread reads the file and reports its progress to the
 * worker.
 */
class LentBuffer implements FileBufferWaiter {
  readonly id: number
  readonly file: FileBuffer
  users = 0
  error: unknown
  /** The value of `filled` that the worker was last told. */
  #reported: number
  readonly #post: (message: ToWorker) => void

  constructor(id: number, file: FileBuffer, post: (message: ToWorker) => void) {
    this.id = id
    this.file = file
    this.#reported = file.filled
    this.#post = post
  }

  /**
   * The worker waits for octets. Each chunk is reported, and calls `readOn` again through `moreRead`, until the
   * file is read.
   */
  readOn(): void {
    const { filled, size } = this.file
    if (filled > this.#reported) {
      this.#reported = filled
      this.#post({ type: 'filled', buffer: this.id, filled })
    }
    // Asks for one octet more than there is, so that the reader goes on and calls `moreRead`.
    if (filled < size) this.file.ready(filled + 1, this)
  }

  moreRead(): void {
    this.readOn()
  }

  readFailed(error: unknown): void {
    this.error = error
    const { code, text } = errorReply(error)
    this.#post({ type: 'unreadable', buffer: this.id, code, text })
  }
}

function startMessage(id: number, buffer: number, job: TransferJob): ToWorker {
  const { localAddress, remoteAddress, remotePort, family, agreed, oack } = job
  const interfaces = localAddress.includes('%') ? networkInterfaces() : {}
  return {
    type: 'start',
    job: id,
    buffer,
    family,
    local: toSockaddr(localAddress, 0, family, interfaces),
    remote: toSockaddr(remoteAddress, remotePort, family, interfaces),
    blksize: agreed.blksize,
    windowsize: agreed.windowsize,
    timeoutMs: agreed.timeoutMs,
    // The packet lies in Node's pool of small buffers, and a message takes the whole pool of 8 KiB along.
    oack: oack && Uint8Array.from(oack),
  }
}

/**
 * Starts the worker. Undefined when this machine cannot run it, as the worker's first message says.
 */
export async function openNativeBackend(): Promise<NativeBackend | undefined> {
  const calls = loadSystemCalls()
  if (!calls) return undefined
  const shared: Shared = {
    words: new Int32Array(new SharedArrayBuffer(sharedWords * Int32Array.BYTES_PER_ELEMENT)),
    lastPacket: new Float64Array(new SharedArrayBuffer(jobSlots * Float64Array.BYTES_PER_ELEMENT)),
  }
  const worker = startWorker(import.meta.url, './worker', { workerData: shared })
  worker.unref()
  return new Promise((resolve) => {
    const onFirstMessage = (message: FromWorker): void => {
      worker.off('error', onFailure).off('exit', onFailure)
      if (message.type === 'ready') resolve(new NativeBackend(worker, calls, message.event, shared))
      else onFailure()
    }
    const onFailure = (): void => {
      // An `error` without a listener would end the process.
      worker.off('message', onFirstMessage).on('error', () => undefined)
      void worker.terminate()
      resolve(undefined)
    }
    worker.once('message', onFirstMessage).once('error', onFailure).once('exit', onFailure)
  })
}
