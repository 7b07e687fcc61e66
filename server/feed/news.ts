import type { BootEvent } from '../core/boots/boot-event.ts'
import type { BootTestResult } from '../core/boottest/result.ts'
import type { FeedType } from '../core/feed-types.ts'
import type { GuestState } from '../core/guest/state.ts'
import type { SnapshotProblem } from '../core/problem.ts'

/** Types that name guests: who may not read guests gets none of them. */
export const guestTypes: ReadonlySet<FeedType> = new Set(['boots', 'guests', 'config', 'problems'])

/** What has happened. Texts are short, and name no path of this machine. */
export type News =
  | { readonly type: 'boots'; readonly event: BootEvent }
  /** The state of a guest has changed, or an order was given. */
  | { readonly type: 'guests'; readonly guest: string; readonly state: GuestState }
  /** A tree is new, has changed its state, or was removed. */
  | {
      readonly type: 'trees'
      readonly tree: string
      readonly state: string
      readonly reasons: readonly string[]
    }
  /**
   * A boot test of a version waits (`queued`, with its place, or `held`, with the reason), boots a machine, or is over.
   * `firmware`: what is to be tested, or the machine that runs.
   */
  | {
      readonly type: 'boot-tests'
      readonly tree: string
      readonly state: 'starting' | 'queued' | 'held' | 'booting' | 'ended' | 'cancelled'
      readonly place: number | null
      readonly waiting: number | null
      readonly why: string | null
      readonly firmware: readonly string[]
      readonly results: readonly BootTestResultNews[]
    }
  /** What came in was verified: `lines` say what was published, or why nothing was. */
  | {
      readonly type: 'publish'
      readonly tree: string
      readonly outcome: 'published' | 'refused'
      readonly lines: readonly string[]
    }
  /** Configuration or definitions are others now; or config.yaml is wrong, and the last good one stays in force. */
  | { readonly type: 'config'; readonly state: 'ok' | 'refused'; readonly generation: number }
  /** There are other problems than before. `added`: those that are new, of many the first. */
  | {
      readonly type: 'problems'
      readonly errors: number
      readonly warnings: number
      readonly added: readonly SnapshotProblem[]
    }

/** What one machine showed; the file with its serial line is named nowhere but on this machine. */
export type BootTestResultNews = Pick<BootTestResult, 'firmware' | 'outcome'> & {
  readonly why: string | null
}

export interface FeedEvent {
  /** The place in the feed of this run of the server: 1, 2, ... 0 for one of an earlier run. */
  readonly n: number
  /** For `Last-Event-ID`. */
  readonly id: string
  readonly atMs: number
  /** The guest that it is about, when it is about one. */
  readonly guest?: string
  readonly news: News
}
