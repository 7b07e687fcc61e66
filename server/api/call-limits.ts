import type { Caller } from '../core/access/access.ts'
import { Failure } from '../core/failure.ts'
import { requestLimits } from '../core/limits/requests.ts'
import { addressPrefix } from '../core/net/prefix.ts'
import { lru } from '../host/lru.ts'

/** So many callers are remembered. One that is forgotten begins with a full bucket. */
const mostCallers = 10_000

interface Bucket {
  left: number
  atMs: number
}

export interface CallLimitsOptions {
  /** Calls in a second. Twice as many may come at once. */
  readonly perSecond?: number
  /** Milliseconds, by a clock that is never set. */
  readonly up?: () => number
}

/**
 * How many calls of the API each caller may make: a bucket for each token, account and address without credentials that
 * fills by itself. A script in a loop must not take the time of installers. What is open to everybody is not counted.
 */
export class CallLimits {
  readonly #perSecond: number
  readonly #up: () => number
  readonly #buckets = lru<string, Bucket>(mostCallers)

  constructor({
    perSecond = requestLimits.apiCalls.entries,
    up = () => performance.now(),
  }: CallLimitsOptions = {}) {
    this.#perSecond = perSecond
    this.#up = up
  }

  /** For tests: how many callers are remembered. */
  get size(): number {
    return this.#buckets.size
  }

  /**
   * Counts a call. Without a caller it is one with wrong credentials or none, which counts for its address.
   *
   * @throws Failure `too-many` with the time until the next call.
   */
  take(caller: Caller | undefined, from: string): void {
    const key = keyOf(caller, from)
    const nowMs = this.#up()
    const most = 2 * this.#perSecond
    const { left, atMs } = this.#buckets.get(key) ?? { left: most, atMs: nowMs }
    const full = Math.min(most, left + ((nowMs - atMs) * this.#perSecond) / 1000)
    // What is refused is not counted: a program that goes on asking must not be kept out for ever.
    this.#buckets.set(key, { left: full < 1 ? full : full - 1, atMs: nowMs })
    if (full >= 1) return
    const retryAfterMs = Math.ceil(((1 - full) * 1000) / this.#perSecond)
    throw new Failure('too-many', `more than ${this.#perSecond} calls in a second; ask less often`, {
      retryAfterMs,
    })
  }
}

function keyOf(caller: Caller | undefined, from: string): string {
  if (!caller || caller.kind === 'anonymous') return `from ${addressPrefix(from, 64)}`
  return caller.token === undefined ? `of ${caller.account}` : `of ${caller.account} by ${caller.token}`
}
