import type { DigestAlgorithm } from '../../core/tree/tree.ts'
import type { Digests } from './digests.ts'

/** Messages between `HashThreads` and its workers. */

/** Asks for the digests of a file, or of a run of bytes inside an image. The reply has the same `id`. */
export interface HashRequest {
  readonly id: number
  readonly file: string
  readonly offset: number
  readonly size: number
  /** The etag of the entry, by which a worker notices that the file was replaced. */
  readonly etag: string
  readonly algorithms: readonly DigestAlgorithm[]
}

export type HashReply =
  | { readonly kind: 'progress'; readonly id: number; readonly bytes: number }
  /** `bytes` are those since the last progress message. */
  | { readonly kind: 'done'; readonly id: number; readonly bytes: number; readonly digests: Digests }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string }

export interface HashWorkerData {
  /** A flag in shared memory. When it is not 0, the results are not wanted any more, and workers stop. */
  readonly stop: Int32Array<SharedArrayBuffer>
}
