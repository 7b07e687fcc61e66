import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { Failure } from '../../core/failure.ts'
import type { DigestAlgorithm } from '../../core/tree/tree.ts'
import type { Entry } from '../../files/source.ts'
import { startWorker } from '../../host/worker.ts'
import type { Digests, HashAnswer, HashJob, HashSettings } from './message.ts'

/** More than two places of one disk at once make it slower. */
const mostThreads = 2

interface Waiting {
  readonly size: number
  readonly onBytes: (bytes: number) => void
  readonly resolve: (digests: Digests) => void
  readonly reject: (error: unknown) => void
}

interface Thread {
  readonly worker: Worker
  readonly jobs: Map<number, Waiting>
}

/**
 * Threads that compute digests of files on the disk, for as long as one piece of work lasts: the event loop stays free
 * for everybody else, and files are read at the speed of the processor.
 */
export class HashThreads {
  readonly #threads: readonly Thread[]
  readonly #stop: HashSettings['stop'] = new Int32Array(new SharedArrayBuffer(4))
  #lastId = 0

  constructor(count = Math.min(mostThreads, availableParallelism())) {
    this.#threads = Array.from({ length: count }, () => this.#start())
  }

  /**
   * Digests of an entry that has an `extent`.
   *
   * @throws Failure `unavailable` when it cannot be read, or is another file by now.
   */
  digests(
    { extent, size, etag }: Entry,
    algorithms: readonly DigestAlgorithm[],
    onBytes: (bytes: number) => void,
  ): Promise<Digests> {
    const left = ({ jobs }: Thread) => [...jobs.values()].reduce((sum, job) => sum + job.size, 0)
    const [thread] = [...this.#threads].sort((a, b) => left(a) - left(b))
    if (!thread || !extent) throw new Failure('internal', 'no thread, or no place on the disk')
    const id = ++this.#lastId
    const job: HashJob = { id, ...extent, size, etag, algorithms }
    return new Promise((resolve, reject) => {
      thread.jobs.set(id, { size, onBytes, resolve, reject })
      thread.worker.postMessage(job)
    })
  }

  /** What is under way is rejected. */
  async stop(): Promise<void> {
    Atomics.store(this.#stop, 0, 1)
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  #start(): Thread {
    const jobs = new Map<number, Waiting>()
    const settings: HashSettings = { stop: this.#stop }
    const worker = startWorker(import.meta.url, './worker', { workerData: settings, env: {} })
    worker.on('message', (answer: HashAnswer) => settle(jobs, answer))
    const end = (message: string): void => {
      for (const { reject } of jobs.values()) reject(new Failure('unavailable', message))
      jobs.clear()
    }
    worker.on('error', (error) => end(`the thread that verifies failed: ${error.message}`))
    worker.on('exit', () => end('stopped'))
    return { worker, jobs }
  }
}

function settle(jobs: Map<number, Waiting>, answer: HashAnswer): void {
  const job = jobs.get(answer.id)
  if (!job) return
  if (answer.kind !== 'progress') jobs.delete(answer.id)
  if (answer.kind === 'failed') job.reject(new Failure('unavailable', answer.message))
  else job.onBytes(answer.bytes)
  if (answer.kind === 'done') job.resolve(answer.digests)
}
