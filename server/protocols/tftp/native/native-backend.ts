import { networkInterfaces } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { Failure } from '../../../core/failure.ts'
import { startWorker } from '../../../host/worker.ts'
import type { Carriage, Carrier, Job } from '../transfer/backend.ts'
import type { Content, Waiting } from '../transfer/content.ts'
import { wireError } from '../wire/request.ts'
import { type FromWorker, heardSlots, type Shared, sleeping, type ToWorker, waiting } from './messages.ts'
import { toSockaddr } from './sockaddr.ts'
import { loadNative, type NativeUdp } from './system-calls.ts'

/** Transfers in a thread of their own, by system calls. Made by `openNativeCarrier` only. */
export class NativeCarrier implements Carrier {
  readonly #worker: Worker
  readonly #udp: NativeUdp
  readonly #bell: number
  readonly #words: Int32Array
  readonly #heard: Float64Array
  readonly #jobs = new Map<number, NativeJob>()
  readonly #byContent = new Map<Content, Lent>()
  readonly #byId = new Map<number, Lent>()
  #nextJob = 0
  #nextContent = 0
  #closed: (() => void) | undefined
  #gone = false

  constructor(worker: Worker, udp: NativeUdp, bell: number, shared: Shared) {
    this.#worker = worker
    this.#udp = udp
    this.#bell = bell
    this.#words = shared.words
    this.#heard = shared.heard
    worker.on('message', (message: FromWorker) => this.#hear(message))
    worker.on('error', (error) => this.#lost(error))
    worker.on('exit', () => this.#lost(new Error('the TFTP thread has ended')))
  }

  /** False when its thread has died: it takes no more jobs. */
  get alive(): boolean {
    return !this.#gone
  }

  carry(job: Job): Carriage {
    const id = this.#nextJob++
    const interfaces = job.localAddress.includes('%') ? networkInterfaces() : {}
    const lent = this.#lend(job.content)
    this.#heard[id % heardSlots] = 0
    this.#jobs.set(id, { job, lent })
    this.#tell({
      type: 'carry',
      job: id,
      content: lent.id,
      family: job.family,
      local: toSockaddr(job.localAddress, 0, job.family, interfaces),
      remote: toSockaddr(job.remoteAddress, job.remotePort, job.family, interfaces),
      blksize: job.agreed.blksize,
      windowsize: job.agreed.windowsize,
      timeoutMs: job.agreed.timeoutMs,
      oack: job.oack,
    })
    const heard = this.#heard
    return {
      get heardMs() {
        const at = heard[id % heardSlots] ?? 0
        return at === 0 ? -1 : at - performance.timeOrigin
      },
      abort: (text, quietly) => this.#tell({ type: 'abort', job: id, text, quietly: quietly !== undefined }),
    }
  }

  async close(): Promise<void> {
    if (this.#gone) return
    const closed = new Promise<void>((resolve) => {
      this.#closed = resolve
    })
    this.#tell({ type: 'close' })
    await closed
    this.#gone = true
    await this.#worker.terminate()
  }

  #hear(message: FromWorker): void {
    switch (message.type) {
      case 'pull':
        this.#byId.get(message.content)?.pull()
        break
      case 'release':
        this.#byId.get(message.content)?.content.release(message.position)
        break
      case 'settled':
        this.#settled(message)
        break
      case 'closed':
        this.#closed?.()
        break
      case 'ready':
      case 'unavailable':
        break
    }
  }

  #settled(message: Extract<FromWorker, { type: 'settled' }>): void {
    const found = this.#jobs.get(message.job)
    if (!found) return
    this.#jobs.delete(message.job)
    const { job, lent } = found
    const { end, bytes, detail } = message
    this.#giveBack(lent)
    if (end === 'failed') {
      const error = lent.error ?? new Failure('unavailable', detail ?? 'no socket')
      job.settled({ end, bytes, error })
    } else job.settled(detail === undefined ? { end, bytes } : { end, bytes, detail })
  }

  #lend(content: Content): Lent {
    let lent = this.#byContent.get(content)
    if (!lent) {
      const id = this.#nextContent++
      lent = new Lent(id, content, (message) => this.#tell(message))
      this.#byContent.set(content, lent)
      this.#byId.set(id, lent)
      const { size, filled, buffer } = content
      this.#tell({ type: 'content', content: id, size, filled, buffer, ring: buffer.length < size })
    }
    lent.users++
    content.retain()
    return lent
  }

  #giveBack(lent: Lent): void {
    lent.users--
    lent.content.leave(lent.users === 0 ? lent : undefined)
    if (lent.users > 0) return
    this.#byContent.delete(lent.content)
    this.#byId.delete(lent.id)
    this.#tell({ type: 'drop', content: lent.id })
  }

  #tell(message: ToWorker): void {
    if (this.#gone) return
    this.#worker.postMessage(message)
    Atomics.store(this.#words, waiting, 1)
    if (Atomics.load(this.#words, sleeping) === 1) this.#udp.ring(this.#bell)
  }

  #lost(error: unknown): void {
    if (this.#gone) return
    this.#gone = true
    this.#closed?.()
    for (const { job, lent } of this.#jobs.values()) {
      lent.content.leave(lent)
      lent.users--
      job.settled({ end: 'failed', bytes: 0, error })
    }
    this.#jobs.clear()
  }
}

interface NativeJob {
  readonly job: Job
  readonly lent: Lent
}

/** A Content that the thread sends from: reading goes on here, and the thread hears how far it has come. */
class Lent implements Waiting {
  readonly id: number
  readonly content: Content
  users = 0
  error: unknown
  /** What the thread knows of `filled`. */
  #told: number
  readonly #tell: (message: ToWorker) => void

  constructor(id: number, content: Content, tell: (message: ToWorker) => void) {
    this.id = id
    this.content = content
    this.#told = content.filled
    this.#tell = tell
  }

  /** The thread waits for octets: read on until the file or its ring is full, and say how far it is each time. */
  pull(): void {
    const { filled, size } = this.content
    if (filled > this.#told) {
      this.#told = filled
      this.#tell({ type: 'filled', content: this.id, filled })
    }
    if (filled < size) this.content.ready(filled + 1, this)
  }

  arrived(): void {
    this.pull()
  }

  failed(error: unknown): void {
    this.error = error
    const { code, text } = wireError(error)
    this.#tell({ type: 'broken', content: this.id, code, text })
  }
}

/** Undefined where this machine cannot do it: see native.ts. The worker's first breath decides. */
export async function openNativeCarrier(): Promise<NativeCarrier | undefined> {
  const udp = loadNative()
  if (!udp) return undefined
  const shared: Shared = {
    words: new Int32Array(new SharedArrayBuffer(16)),
    heard: new Float64Array(new SharedArrayBuffer(heardSlots * 8)),
  }
  const worker = startWorker(import.meta.url, './worker', { workerData: shared })
  worker.unref()
  return new Promise((resolve) => {
    const first = (message: FromWorker): void => {
      worker.off('error', failed).off('exit', failed)
      if (message.type === 'ready') resolve(new NativeCarrier(worker, udp, message.bell, shared))
      else failed()
    }
    const failed = (): void => {
      worker.off('message', first).on('error', () => undefined)
      void worker.terminate()
      resolve(undefined)
    }
    worker.once('message', first).once('error', failed).once('exit', failed)
  })
}
