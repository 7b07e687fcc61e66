import type { Decision } from '../core/boot/decision.ts'
import type { FailureKind } from '../core/failure.ts'
import type { Protocol, Requester } from '../core/net/requester.ts'

/** What happens, as values. The log, the metrics and a guest's timeline are all made from this one stream. */
export type Event =
  /** A path was asked for, and this is how it ended. */
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
  /** A file that something was decided about is on its way, in a transfer that may last: before its first byte, and then now and then. */
  | { readonly type: 'fetching'; readonly who: Requester; readonly decision: Decision }
  /** A machine asked what to boot and was told. */
  | {
      readonly type: 'boot'
      readonly protocol: Protocol
      readonly client: string
      readonly guest?: string
      readonly decision: string
    }
  /** A guest said something about itself: installation finished, failed, a progress line. */
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
  /** Something uploaded, imported or mirrored was verified: published, or not and why. */
  | {
      readonly type: 'publish'
      readonly id: string
      readonly outcome: 'published' | 'refused'
      readonly lines: readonly string[]
    }
  | { readonly type: 'config'; readonly outcome: 'loaded' | 'kept-last-good'; readonly message: string }
  /** Datagrams and requests that make no sense: noted and forgotten. */
  | { readonly type: 'noise'; readonly protocol: Protocol; readonly client: string; readonly message: string }
  | { readonly type: 'trouble'; readonly where: string; readonly message: string }

export type EventSink = (event: Event) => void

/** Delivers events to whoever listens, in order, at once. A listener that throws harms nobody else. */
export class EventBus {
  readonly #sinks = new Set<EventSink>()

  /** For handing to parts that only tell. */
  readonly emit: EventSink = (event) => {
    for (const sink of this.#sinks) {
      try {
        sink(event)
      } catch {
        // An observer's fault must not stop what it observes.
      }
    }
  }

  /** Returns the function that ends the subscription. */
  subscribe(sink: EventSink): () => void {
    this.#sinks.add(sink)
    return () => this.#sinks.delete(sink)
  }
}
