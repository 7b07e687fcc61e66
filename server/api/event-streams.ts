import type { Accounts } from '../accounts/accounts.ts'
import { isRevokedBy, type Revoked } from '../core/access/revoked.ts'
import { Failure } from '../core/failure.ts'
import { requestLimits } from '../core/limits/requests.ts'
import type { Feed } from '../feed/feed.ts'
import { EventStream, type StreamRequest } from './event-stream.ts'

const commentEveryMs = 15_000

export interface EventStreamsParts {
  readonly feed: Feed
  readonly accounts: Pick<Accounts, 'onRevoked'>
  /** How often each stream gets a comment, and tokens are looked at again. */
  readonly commentEveryMs?: number
}

interface Held {
  readonly request: StreamRequest
  session?: string
  /** Set when the head was sent. */
  stream?: EventStream
  /** While it is being opened: something was revoked meanwhile. */
  isDoubtful: boolean
}

/** All event streams: their number, their ends, and a turn for each when there is something new. */
export class EventStreams {
  readonly #parts: EventStreamsParts
  readonly #held = new Set<Held>()
  #ends: readonly (() => void)[] = []
  #isDue = false
  #isClosed = false

  constructor(parts: EventStreamsParts) {
    this.#parts = parts
  }

  get size(): number {
    return this.#held.size
  }

  /**
   * Sends the head of the response and from then on its events.
   *
   * @throws Failure `too-many`, `unavailable`, or `unauthenticated` for a caller whose access has just ended.
   */
  async open(request: StreamRequest): Promise<void> {
    this.#requirePlace(request)
    const held: Held = { request, isDoubtful: true }
    this.#held.add(held)
    if (this.#held.size === 1) this.#begin()
    const { res } = request
    res.once('close', () => this.#remove(held))
    try {
      while (held.isDoubtful) {
        held.isDoubtful = false
        const still = await request.still()
        if (!still) throw new Failure('unauthenticated', 'this access has just ended')
        if (still.session !== undefined) held.session = still.session
      }
      if (this.#isClosed) throw new Failure('unavailable', 'the server stops')
    } catch (error) {
      this.#remove(held)
      throw error
    }
    if (res.destroyed) return
    held.stream = new EventStream(this.#parts.feed, request)
  }

  /** Ends all streams, and takes no more. */
  close(): void {
    this.#isClosed = true
    for (const { stream } of this.#held) stream?.end()
  }

  #requirePlace({ key }: StreamRequest): void {
    if (this.#isClosed) throw new Failure('unavailable', 'the server stops')
    const own = [...this.#held].filter(({ request }) => request.key === key).length
    const { eventStreams, allEventStreams } = requestLimits
    if (own >= eventStreams.entries)
      throw new Failure('too-many', `${own} event streams of this account are open; end one of them`)
    if (this.#held.size >= allEventStreams.entries)
      throw new Failure('unavailable', `${this.#held.size} event streams are open; try again later`)
  }

  #begin(): void {
    const { feed, accounts, commentEveryMs: everyMs = commentEveryMs } = this.#parts
    const timer = setInterval(() => this.#comment(), everyMs).unref()
    this.#ends = [
      feed.subscribe(() => this.#soon()),
      accounts.onRevoked((revoked) => this.#revoked(revoked)),
      () => clearInterval(timer),
    ]
  }

  #remove(held: Held): void {
    if (!this.#held.delete(held) || this.#held.size > 0) return
    for (const end of this.#ends) end()
    this.#ends = []
  }

  /** Many events of one moment cost each stream one write, and whoever emits them none. */
  #soon(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      for (const { stream } of this.#held) stream?.pump()
    })
  }

  #revoked(revoked: Revoked): void {
    for (const held of this.#held) {
      const { request, session, stream } = held
      if (!stream) held.isDoubtful = true
      else if (isRevokedBy(revoked, request.caller, session)) stream.end()
    }
  }

  #comment(): void {
    for (const { stream, request } of this.#held) {
      if (!stream) continue
      stream.comment()
      // Asking for a session would keep it from ending; `onRevoked` tells when it ends.
      if (request.caller.kind === 'account') continue
      void request.still().then(
        (still) => still ?? stream.end(),
        () => stream.end(),
      )
    }
  }
}
