import type { Carriage } from './backend.ts'

export interface SessionLimits {
  /** Transfers at once, in all. */
  readonly transfers: number
  /** Transfers at once for one client address. A rack may boot behind one translated address. */
  readonly perClient: number
}

/** A request that is being answered. */
export interface Session {
  readonly key: string
  readonly sinceMs: number
  readonly client: string
  readonly request: Uint8Array
  /** Once it moves packets. */
  carriage: Carriage | undefined
}

/**
 * - `new`: answer it.
 * - `repeat`: the client sends it again because our first packet is still on its way; that is being looked after.
 * - `anew`: the client has started over from the same port (boot ROMs have fixed ports); the old transfer is over.
 * - `full`: a limit is reached. We stay silent: firmware repeats its request after a while, but gives up on an ERROR.
 */
export type Admission = 'new' | 'repeat' | 'anew' | 'full'

/** A transfer whose client was heard within this time is alive, and its request come late or twice. */
const livelyMs = 1500

/** A client that has not answered within this time makes room for another where there is none left. */
const patienceMs = 2000

/** The transfers on their way, by client address and port. */
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

  admit(key: string, client: string, request: Uint8Array, nowMs: number): Admission {
    const known = this.#byKey.get(key)
    if (known) return sameBytes(known.request, request) && lively(known, nowMs) ? 'repeat' : 'anew'
    return this.#full(client) ? 'full' : 'new'
  }

  /**
   * Where there is no room: the session that has to give way to this client, the oldest one that nobody ever answered. A
   * request costs nothing and can be sent in anybody's name, so whoever answers comes before whoever only asks.
   */
  yielding(client: string, nowMs: number): Session | undefined {
    const ownOnly = (this.#perClient.get(client) ?? 0) >= this.#limits.perClient
    for (const session of this.#byKey.values()) {
      if (nowMs - session.sinceMs < patienceMs) return undefined
      if (ownOnly && session.client !== client) continue
      if ((session.carriage?.heardMs ?? 0) === -1) return session
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

  #full(client: string): boolean {
    return (
      this.#byKey.size >= this.#limits.transfers ||
      (this.#perClient.get(client) ?? 0) >= this.#limits.perClient
    )
  }

  *[Symbol.iterator](): Iterator<Session> {
    yield* this.#byKey.values()
  }
}

function lively(session: Session, nowMs: number): boolean {
  const heardMs = session.carriage?.heardMs ?? -1
  return heardMs === -1 || nowMs - heardMs < livelyMs
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
