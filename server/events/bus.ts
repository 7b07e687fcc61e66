import type { Decision } from '../core/boot/decision.ts'
import type { FailureKind } from '../core/failure.ts'
import type { Protocol, Requester } from '../core/net/requester.ts'

/**
 * Everything that happens, as values. The log, the metrics and the history of guests are made from this one
 * stream.
 */
export type Event =
  /** A request for a path, and how it ended. */
  | {
      readonly type: 'served'
      readonly protocol: Protocol
      readonly client: string
      readonly path: string
      readonly outcome: 'complete' | 'aborted' | 'failed'
      /** Why, for `failed`. */
      readonly kind?: FailureKind
      readonly detail?: string
      /** Bytes of the file that went out; 0 for a question. */
      readonly bytes: number
      readonly ms: number
      /** Set when nothing was fetched, only asked: HEAD, a LOOKUP by NFS. */
      readonly question?: true
      /** Of the entry that was served. */
      readonly decision?: Decision
      /** The client with all that its request said. */
      readonly who?: Requester
    }
  /**
   * A file that carries a decision is being sent, in a transfer that may take long: emitted before its first
   * byte, and again from time to time.
   */
  | { readonly type: 'fetching'; readonly who: Requester; readonly decision: Decision }
  /** A machine asked what to boot and got a decision. */
  | {
      readonly type: 'boot'
      readonly protocol: Protocol
      readonly client: string
      readonly guest?: string
      readonly decision: string
    }
  /** A guest reported something about itself: finished, failed, a line of progress. */
  | {
      readonly type: 'report'
      readonly guest: string
      readonly client: string
      readonly state: string
      readonly detail?: string
    }
  | {
      readonly type: 'tree'
      readonly id: string
      readonly state: string
      readonly reasons: readonly string[]
    }
  /** An upload, import or mirror was verified. `lines` say what was published, or why nothing was. */
  | {
      readonly type: 'publish'
      readonly id: string
      readonly outcome: 'published' | 'refused'
      readonly lines: readonly string[]
    }
  | { readonly type: 'config'; readonly outcome: 'loaded' | 'kept-last-good'; readonly message: string }
  /** A datagram or request that cannot be understood: noted and forgotten. */
  | { readonly type: 'noise'; readonly protocol: Protocol; readonly client: string; readonly message: string }
  | { readonly type: 'trouble'; readonly where: string; readonly message: string }

export type EventSink = (event: Event) => void

/**
 * Delivers events to all subscribers, in order and at once. A subscriber that throws does not disturb the
 * others.
 */
export class EventBus {
  readonly #sinks = new Set<EventSink>()

  /** For the parts that only emit events. */
  readonly emit: EventSink = (event) => {
    for (const sink of this.#sinks) {
      try {
        sink(event)
      } catch {
        // A fault of a subscriber must not stop what it observes.
      }
    }
  }

  /** Returns the function that ends the subscription. */
  subscribe(sink: EventSink): () => void {
    this.#sinks.add(sink)
    return () => this.#sinks.delete(sink)
  }
}
