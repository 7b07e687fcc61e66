import type { RunningTransfer } from './backend.ts'

export interface SessionLimits {
  /** The most transfers at once. */
  readonly transfers: number
  /**
   * The most transfers at once for one client address. A whole rack may boot behind one translated address.
   */
  readonly perClient: number
}

/** A request from its arrival to the end of its transfer. */
export interface Session {
  /** The client's address and port, and our address. */
  readonly key: string
  readonly startMs: number
  /** The client's address. */
  readonly client: string
  /** The datagram of the request, to recognize a repeat. */
  readonly request: Uint8Array
  /** Undefined while the file is being looked up. */
  transfer: RunningTransfer | undefined
}

/**
 * - `new`: serve the request.
 * - `repeat`: the client repeats its request because our first packet is still on its way. Nothing to do: the
 *   transfer is running.
 * - `restarted`: the client has started over from the same port (boot ROMs have fixed ports). Drop the
 *   old transfer, and serve the request.
 * - `full`: a limit is reached. We do not reply: firmware repeats its request later, but gives up on an
 *   ERROR.
 */
export type Admission = 'new' | 'repeat' | 'restarted' | 'full'

/** For this long after a client's last packet, the same request counts as a late or duplicate datagram. */
const repeatWindowMs = 1500

/** When a limit is reached, a session of this age may be evicted if its client has never sent an ACK. */
const evictAfterMs = 2000

/** The requests being served, by client address and port and our address. */
export class Sessions {
  readonly #limits: SessionLimits
  readonly #byKey = new Map<string, Session>()
  readonly #perClient = new Map<string, number>()

  constructor(limits: SessionLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#byKey.size
  }

  find(key: string): Session | undefined {
    return this.#byKey.get(key)
  }

  admissionOf(request: Pick<Session, 'key' | 'client' | 'request'>, nowMs: number): Admission {
    const session = this.#byKey.get(request.key)
    if (session)
      return sameBytes(session.request, request.request) && isAlive(session, nowMs) ? 'repeat' : 'restarted'
    return this.#isFull(request.client) ? 'full' : 'new'
  }

  /**
   * The session to evict for a new request of this client when a limit is reached: the oldest session whose
   * client never sent an ACK, if it is old enough. Anyone can send a request in another's name, so clients
   * that respond come before clients that do not.
   */
  evictable(client: string, nowMs: number): Session | undefined {
    const ownOnly = (this.#perClient.get(client) ?? 0) >= this.#limits.perClient
    for (const session of this.#byKey.values()) {
      // The map is in the order of arrival: all that follow are younger still.
      if (nowMs - session.startMs < evictAfterMs) return undefined
      if (ownOnly && session.client !== client) continue
      if (session.transfer?.lastPacketMs === -1) return session
    }
    return undefined
  }

  add(session: Session): void {
    this.#byKey.set(session.key, session)
    this.#perClient.set(session.client, (this.#perClient.get(session.client) ?? 0) + 1)
  }

  remove(session: Session): void {
    if (this.#byKey.get(session.key) !== session) return
    this.#byKey.delete(session.key)
    const left = (this.#perClient.get(session.client) ?? 1) - 1
    if (left > 0) this.#perClient.set(session.client, left)
    else this.#perClient.delete(session.client)
  }

  #isFull(client: string): boolean {
    return (
      this.#byKey.size >= this.#limits.transfers ||
      (this.#perClient.get(client) ?? 0) >= this.#limits.perClient
    )
  }

  *[Symbol.iterator](): Iterator<Session> {
    yield* this.#byKey.values()
  }
}

function isAlive(session: Session, nowMs: number): boolean {
  const lastPacketMs = session.transfer?.lastPacketMs ?? -1
  return lastPacketMs === -1 || nowMs - lastPacketMs < repeatWindowMs
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
