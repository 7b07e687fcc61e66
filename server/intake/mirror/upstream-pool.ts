import { setTimeout as pauseFor } from 'node:timers/promises'
import { Failure, failureMessage } from '../../core/failure.ts'
import { Trouble, type Upstream } from './upstream.ts'

/** How to wait, and chance. Tests bring their own. */
export interface Waiting {
  readonly pause?: (ms: number, signal?: AbortSignal) => Promise<void>
  /** From 0 to 1. */
  readonly chance?: () => number
  readonly clock?: () => number
}

export interface Asking {
  /**
   * There need not be such a file: when one upstream has none, the others are not waited for, and one that forbids it has
   * none either. Some stores answer 403 for what is absent.
   */
  readonly isOptional?: boolean
  readonly signal?: AbortSignal
}

interface Standing {
  /** Of the server as a whole, one after the other. */
  troubles: number
  restsUntilMs: number
}

const mostTries = 8
const firstPauseMs = 500
const longestPauseMs = 60_000
const longestRetryAfterMs = 300_000

/**
 * Mirrors of one tree, the preferred one first, and how each has behaved. One that asks for time (`Retry-After`), is
 * overloaded or cannot be reached is left in peace by everybody, for as long as it asks, else ever longer with chance
 * mixed in, so that a hundred mirrors do not come back in the same second. Meanwhile the others are asked.
 */
export class UpstreamPool {
  readonly upstreams: readonly Upstream[]
  readonly #standings: ReadonlyMap<Upstream, Standing>
  readonly #pause: NonNullable<Waiting['pause']>
  readonly #chance: () => number
  readonly #clock: () => number

  constructor(upstreams: readonly Upstream[], { pause, chance, clock }: Waiting = {}) {
    this.upstreams = upstreams
    this.#standings = new Map(upstreams.map((each) => [each, { troubles: 0, restsUntilMs: 0 }]))
    this.#pause = pause ?? waitFor
    this.#chance = chance ?? Math.random
    this.#clock = clock ?? Date.now
  }

  /**
   * Tries one upstream after the other, again and again within reason, until one has it.
   *
   * @param attempt Resolves to undefined when that upstream has no such thing.
   * @returns Undefined when none has it.
   * @throws Failure `unavailable` with the last reason when none gave it whole.
   */
  async ask<T>(
    what: string,
    attempt: (upstream: Upstream) => Promise<T | undefined>,
    { isOptional = false, signal }: Asking = {},
  ): Promise<T | undefined> {
    const left = new Map(
      this.upstreams.map((upstream) => [upstream, { tries: 0, damaged: 0, notBeforeMs: 0 }]),
    )
    let last: unknown
    let isAbsent = false
    for (let tries = 0; tries < mostTries; tries++) {
      const upstream = await this.#next(left, isOptional && isAbsent, signal)
      const mine = upstream && left.get(upstream)
      if (!upstream || !mine) break
      try {
        const found = await attempt(upstream)
        const standing = this.#standings.get(upstream)
        if (standing) standing.troubles = 0
        if (found !== undefined) return found
        isAbsent = true
        left.delete(upstream)
      } catch (error) {
        if (signal?.aborted || !(error instanceof Failure)) throw error
        if (error.kind === 'forbidden') {
          if (isOptional) isAbsent = true
          else last = error
          left.delete(upstream)
          continue
        }
        last = error
        mine.notBeforeMs = this.#clock() + backOffMs(mine.tries++, this.#chance())
        if (error instanceof Trouble) this.#note(upstream, error)
        // Damaged twice: it will not become better.
        else if (error.kind === 'invalid-data' && ++mine.damaged >= 2) left.delete(upstream)
      }
    }
    if (last === undefined || (isOptional && isAbsent)) return undefined
    const message = `${what} could not be fetched; the last try: ${failureMessage(last)}`
    throw new Failure('unavailable', message, { cause: last })
  }

  async close(): Promise<void> {
    await Promise.all(this.upstreams.map((upstream) => upstream.close().catch(() => undefined)))
  }

  /** The first that may be asked now; when all must be waited for, the one that is ready first, when it is. */
  async #next(
    left: ReadonlyMap<Upstream, { readonly notBeforeMs: number }>,
    onlyReady: boolean,
    signal: AbortSignal | undefined,
  ): Promise<Upstream | undefined> {
    signal?.throwIfAborted()
    const now = this.#clock()
    let first: Upstream | undefined
    let firstMs = Number.POSITIVE_INFINITY
    for (const [upstream, { notBeforeMs }] of left) {
      const readyMs = Math.max(notBeforeMs, this.#standings.get(upstream)?.restsUntilMs ?? 0)
      if (readyMs <= now) return upstream
      if (readyMs < firstMs) [first, firstMs] = [upstream, readyMs]
    }
    if (onlyReady) return undefined
    if (first) await this.#pause(firstMs - now, signal)
    return first
  }

  #note(upstream: Upstream, { isOfServer, retryAfterMs }: Trouble): void {
    const standing = this.#standings.get(upstream)
    if (!standing || !isOfServer) return
    const now = this.#clock()
    // Several files meet the same trouble in the same moment: it counts once.
    if (now >= standing.restsUntilMs) standing.troubles++
    const restMs =
      retryAfterMs === undefined
        ? backOffMs(standing.troubles - 1, this.#chance())
        : Math.min(retryAfterMs, longestRetryAfterMs)
    standing.restsUntilMs = Math.max(standing.restsUntilMs, now + restMs)
  }
}

/** How long to stay away after so many tries, with chance from 0 to 1 mixed in. */
export function backOffMs(tries: number, chance: number): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** Math.max(0, tries)) * (0.5 + chance / 2)
}

export async function waitFor(ms: number, signal?: AbortSignal): Promise<void> {
  await pauseFor(ms, undefined, signal ? { signal } : {})
}
