/**
 * What one reader of foreign bytes takes at most. A number that is not there does not apply to that reader.
 * `docs/limits.md` shows all of them, with the tests that prove them.
 */
export interface Limit {
  /** What is read. */
  readonly what: string
  /** Who can send it. */
  readonly from: string
  readonly bytes?: number
  /** Lines, files, records, packets: `what` says of which kind. */
  readonly entries?: number
  readonly depth?: number
  readonly ms?: number
  /** What happens beyond the limit, for operators. */
  readonly beyond: string
}

export const KiB = 1024
export const MiB = 1024 * KiB
export const GiB = 1024 * MiB
