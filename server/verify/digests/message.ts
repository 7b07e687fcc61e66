import type { DigestAlgorithm } from '../../core/tree/tree.ts'

/** A file, or a run of bytes inside an image, to compute digests of. */
export interface HashJob {
  readonly id: number
  readonly file: string
  readonly offset: number
  readonly size: number
  /** Of the entry: another file in its place is refused. */
  readonly etag: string
  readonly algorithms: readonly DigestAlgorithm[]
}

/** Digests in lower-case hex. */
export type Digests = Readonly<Partial<Record<DigestAlgorithm, string>>>

export type HashAnswer =
  | { readonly kind: 'progress'; readonly id: number; readonly bytes: number }
  /** `bytes`: those that no progress was told of. */
  | { readonly kind: 'done'; readonly id: number; readonly bytes: number; readonly digests: Digests }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string }

export interface HashSettings {
  /** Not 0: stop now, nobody waits for the result. */
  readonly stop: Int32Array<SharedArrayBuffer>
}
