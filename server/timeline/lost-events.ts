import type { SnapshotProblem } from '../core/problem.ts'

const troubleEveryMs = 60_000
/** How long it is a problem that events were lost. */
const lostProblemMs = 3_600_000

/** What was lost of the events of boots, and when people were told. Times are milliseconds since 1970. */
export class LostEvents {
  readonly #onTrouble: (error: unknown) => void
  #seen = 0
  #told = 0
  #lostMs = Number.NEGATIVE_INFINITY
  #toldMs = Number.NEGATIVE_INFINITY

  constructor(onTrouble: (error: unknown) => void) {
    this.#onTrouble = onTrouble
  }

  /** Notes how many were lost in all. */
  note(lost: number, nowMs: number): void {
    if (lost === this.#seen) return
    this.#seen = lost
    this.#lostMs = nowMs
  }

  /** Tells when more were lost since the last time. */
  tellNew(nowMs: number): void {
    if (this.#seen > this.#told)
      this.trouble(new Error(`${this.#seen} events are lost: more came than could be kept`), nowMs)
  }

  /** Tells of something that went wrong, once a minute at most. */
  trouble(error: unknown, nowMs: number): void {
    if (nowMs - this.#toldMs < troubleEveryMs) return
    this.#toldMs = nowMs
    this.#told = this.#seen
    this.#onTrouble(error)
  }

  /** The clock was set by so many milliseconds. */
  shift(byMs: number): void {
    this.#lostMs += byMs
    this.#toldMs += byMs
  }

  /** Without their number, which would make another problem of each. */
  problems(nowMs: number): readonly SnapshotProblem[] {
    if (nowMs - this.#lostMs > lostProblemMs) return []
    return [
      {
        severity: 'warning',
        where: 'boots',
        message:
          'events of boots were lost in the last hour, and timelines have gaps: more came than could be kept',
        remedy: 'treeboot_boot_events_lost_total in /metrics counts them; no machine boots otherwise for it',
      },
    ]
  }
}
