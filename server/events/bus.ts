import type { Decision } from '../core/boot/decision.ts'
import type { LogLine } from '../core/boots/log-line.ts'
import type { BootTestProgress } from '../core/boottest/progress.ts'
import type { FailureKind } from '../core/failure.ts'
import type { Protocol, Requester } from '../core/net/requester.ts'

/**
 * Something that happened in the server. The log, the metrics and the histories of guests are all made from
 * these events.
 */
export type Event =
  /** A request for a path has ended. */
  | {
      readonly type: 'served'
      readonly protocol: Protocol
      readonly client: string
      readonly path: string
      /** `aborted`: ended early, mostly by the client. `failed`: we could not serve it. */
      readonly outcome: 'complete' | 'aborted' | 'failed'
      /** The reason, for `failed`. */
      readonly kind?: FailureKind
      /** More about the outcome, in words. */
      readonly detail?: string
      /** Bytes of the file that were sent; 0 for a `question`. */
      readonly bytes: number
      readonly ms: number
      /** Set for a request that does not fetch the file: HEAD, a LOOKUP by NFS. */
      readonly question?: true
      /** Only TFTP: how often packets were sent again, and the agreed octets of a block. */
      readonly retries?: number
      readonly blksize?: number
      /** Only TFTP, for `aborted`: the client did not end the transfer, it went silent. */
      readonly silent?: true
      /** The decision that the served entry carries. */
      readonly decision?: Decision
      /** The client, with all identities that its request carried. */
      readonly who?: Requester
    }
  /**
   * A file that carries a decision is being sent. Emitted before its first byte and from time to time until
   * its end, because a transfer may take long.
   */
  | { readonly type: 'fetching'; readonly who: Requester; readonly decision: Decision }
  /**
   * A large file begins to be sent. Its `served` event follows, however it ends. Without this event a machine that loads
   * its initrd for minutes would look as if it had gone.
   */
  | {
      readonly type: 'sending'
      readonly protocol: Protocol
      readonly client: string
      readonly path: string
      /** Bytes of the file. */
      readonly size: number
    }
  /**
   * A packet by which a machine boots from the network passed the DHCP service. `offered`: its DISCOVER got our OFFER.
   * `silent`: it got none, and `detail` says why. `confirmed`: its request to port 4011 got our ACK. `leased`: it asked
   * another server for an address, as every machine does beside a proxy.
   */
  | {
      readonly type: 'dhcp'
      readonly step: 'offered' | 'silent' | 'confirmed' | 'leased'
      /** The MAC, or the address where there is no MAC. */
      readonly client: string
      /** Transaction id: a packet that is sent again has the same. */
      readonly xid: number
      /** The port that the packet came to: 67 or 4011. */
      readonly port: number
      readonly mac?: string
      readonly uuid?: string
      /** As `core/boot/firmware.ts` names it. */
      readonly firmware?: string
      readonly guest?: string
      /** The boot file of the offer; '' for a machine that asks for its files by fixed names. */
      readonly file?: string
      readonly detail?: string
      /** The address that the machine has, or asks for. */
      readonly address?: string
      /** For `leased`: the server that it asks for the address. */
      readonly server?: string
      /** Milliseconds from the request to the reply. */
      readonly ms: number
    }
  /**
   * A machine asked for network boot by DHCP, or was sent a boot configuration. `decision` says in words what it
   * was told, or why it got no reply.
   */
  | {
      readonly type: 'boot'
      readonly protocol: Protocol
      readonly client: string
      readonly guest?: string
      /** The MAC or UUID that the machine named. */
      readonly machine?: string
      readonly decision: string
    }
  /** A guest's installer reported: installed, failed, a line of progress. */
  | {
      readonly type: 'report'
      readonly guest: string
      readonly client: string
      readonly state: string
      readonly detail?: string
    }
  /** A line that an installer logged, without control characters. It may hold secrets: no log shows its text. */
  | ({
      readonly type: 'syslog'
      readonly client: string
      /** As many as came. */
      readonly bytes: number
    } & LogLine)
  /**
   * Lines by syslog that were dropped since the last such event. `unknown`: of addresses that boot nothing here.
   * `too-many`: beyond a limit. `client`: the last one of them.
   */
  | {
      readonly type: 'syslog-lost'
      readonly client: string
      readonly lines: number
      readonly why: 'unknown' | 'too-many'
    }
  /** A tree is new, has changed its state, or was removed. `state`: a `TreeState`, or `removed`. */
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
  /** A boot test got further, or is over. `cancelled`: it was ended before all its machines had booted. */
  | (Omit<BootTestProgress, 'state'> & {
      readonly type: 'boot-test'
      readonly state: BootTestProgress['state'] | 'ended' | 'cancelled'
    })
  /**
   * The configuration was read. With mistakes, of which `message` has a line each, the last good one stays in
   * force. The start writes its notes as `loaded`, too.
   */
  | { readonly type: 'config'; readonly outcome: 'loaded' | 'kept-last-good'; readonly message: string }
  /** The server stops: what it waits for, and that it has ended. */
  | { readonly type: 'stop'; readonly message: string }
  /**
   * A datagram or request was not served: it cannot be parsed, is beyond a limit, or is of a kind that the service
   * does not have (a TFTP write). Or a reply could not be sent to the address that a client named.
   */
  | { readonly type: 'noise'; readonly protocol: Protocol; readonly client: string; readonly message: string }
  /** Something failed inside of treeboot. `where` names the part. */
  | { readonly type: 'trouble'; readonly where: string; readonly message: string }

/** In bytes: only for files of this size there are `sending` events. */
export const largeFile = 2 ** 20

export type EventSink = (event: Event) => void

/**
 * Delivers each event to all subscribers, synchronously and in order. When a subscriber throws, the others
 * still get the event.
 */
export class EventBus {
  readonly #sinks = new Set<EventSink>()

  /** For the parts that only emit events. */
  readonly emit: EventSink = (event) => {
    for (const sink of this.#sinks) {
      try {
        sink(event)
      } catch {
        // A fault of a subscriber must not stop the part that emitted the event.
      }
    }
  }

  /** Returns the function that ends the subscription. */
  subscribe(sink: EventSink): () => void {
    this.#sinks.add(sink)
    return () => this.#sinks.delete(sink)
  }
}
