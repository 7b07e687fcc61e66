import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { Failure } from '../../core/failure.ts'
import type { DigestAlgorithm } from '../../core/tree/tree.ts'
import type { Entry } from '../../files/source.ts'
import { startWorker } from '../../host/worker.ts'
import type { Digests } from './digests.ts'
import type { HashReply, HashRequest, HashWorkerData } from './message.ts'

/** Reading at more than two places of one disk at once makes it slower. */
const maxThreads = 2

/** A request that a thread has not finished yet. */
interface PendingHash {
  readonly size: number
  readonly onBytes: (bytes: number) => void
  readonly resolve: (digests: Digests) => void
  readonly reject: (error: unknown) => void
}

interface Thread {
  readonly worker: Worker
  readonly pending: Map<number, PendingHash>
}

/**
 * Threads that compute digests of files on the disk, for as long as one piece of work lasts: the event loop
 * stays free for the services, and files are read at the speed of the processor.
 */
export class HashThreads {
  readonly #threads: readonly Thread[]
  readonly #stopFlag: HashWorkerData['stop'] = new Int32Array(new SharedArrayBuffer(4))
  #lastId = 0

  constructor(count = Math.min(maxThreads, availableParallelism())) {
    this.#threads = Array.from({ length: count }, () => this.#start())
  }

  /**
   * Computes the digests of an entry that has an `extent`.
   *
   * @param onBytes Called now and then with the number of bytes that were read since the last call.
   * @throws Failure `unavailable` when the file cannot be read, or was replaced by another.
   */
  digests(
    { extent, size, etag }: Entry,
    algorithms: readonly DigestAlgorithm[],
    onBytes: (bytes: number) => void,
  ): Promise<Digests> {
    const [thread] = [...this.#threads].sort((a, b) => bytesLeft(a) - bytesLeft(b))
    if (!thread || !extent)
      throw new Failure(
        'internal',
        'a digest was requested without a thread, or for an entry without an extent',
      )
    const id = ++this.#lastId
    const request: HashRequest = { id, ...extent, size, etag, algorithms }
    return new Promise((resolve, reject) => {
      thread.pending.set(id, { size, onBytes, resolve, reject })
      thread.worker.postMessage(request)
    })
  }

  /** Ends the threads. Digests that are not finished are rejected. */
  async stop(): Promise<void> {
    // The flag ends a file at its next chunk, so that the thread closes it: `terminate` would leave it open.
    Atomics.store(this.#stopFlag, 0, 1)
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  #start(): Thread {
    const pending = new Map<number, PendingHash>()
    const data: HashWorkerData = { stop: this.#stopFlag }
    const noVariables = {}
    const worker = startWorker(import.meta.url, './worker', { workerData: data, env: noVariables })
    worker.on('message', (reply: HashReply) => settle(pending, reply))
    const rejectAll = (message: string): void => {
      for (const { reject } of pending.values()) reject(new Failure('unavailable', message))
      pending.clear()
    }
    worker.on('error', (error) => rejectAll(`the thread that computes digests failed: ${error.message}`))
    worker.on('exit', () => rejectAll('stopped'))
    return { worker, pending }
  }
}

function bytesLeft({ pending }: Thread): number {
  return [...pending.values()].reduce((sum, { size }) => sum + size, 0)
}

function settle(pending: Map<number, PendingHash>, reply: HashReply): void {
  const hash = pending.get(reply.id)
  if (!hash) return
  if (reply.kind !== 'progress') pending.delete(reply.id)
  if (reply.kind === 'failed') hash.reject(new Failure('unavailable', reply.message))
  else hash.onBytes(reply.bytes)
  if (reply.kind === 'done') hash.resolve(reply.digests)
}
