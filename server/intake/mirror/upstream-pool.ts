import { Failure, failureMessage } from '../../core/failure.ts'
import { backOffMs, pauseFor, type RetryTiming } from './retry-timing.ts'
import { TransientFailure, type Upstream } from './upstream.ts'

export interface AskOptions {
  /**
   * The file may be missing: after a 404 or 403 from one mirror, busy mirrors are not waited for. Some stores
   * (S3) answer 403 for a missing file.
   */
  readonly isOptional?: boolean
  readonly signal?: AbortSignal
}

/** When one mirror may be asked again, for all files. */
interface MirrorHealth {
  /** Failures of the whole server in a row. */
  failures: number
  notBeforeMs: number
}

/** The tries of one file at one mirror. */
interface MirrorTries {
  tries: number
  damaged: number
  notBeforeMs: number
}

/** The state of one `ask`: the mirrors that may still have the file, and what the others answered. */
interface Search {
  readonly left: Map<Upstream, MirrorTries>
  readonly isOptional: boolean
  readonly signal: AbortSignal | undefined
  /** At least one mirror does not have the file. */
  isMissing: boolean
  lastError: unknown
}

const maxTries = 8
const longestRetryAfterMs = 300_000

/**
 * Mirrors of one tree, the preferred one first. A mirror that is overloaded (429, 503), asks for time
 * (`Retry-After`) or is unreachable is not asked for any file during a pause: as long as it requests, else
 * with exponential back-off. Meanwhile the other mirrors are asked.
 */
export class UpstreamPool {
  readonly upstreams: readonly Upstream[]
  readonly #health: ReadonlyMap<Upstream, MirrorHealth>
  readonly #pause: NonNullable<RetryTiming['pause']>
  readonly #chance: () => number
  readonly #clock: () => number

  constructor(upstreams: readonly Upstream[], { pause, chance, clock }: RetryTiming = {}) {
    this.upstreams = upstreams
    this.#health = new Map(upstreams.map((each) => [each, { failures: 0, notBeforeMs: 0 }]))
    this.#pause = pause ?? pauseFor
    this.#chance = chance ?? Math.random
    this.#clock = clock ?? Date.now
  }

  /**
   * Tries the mirrors in turn, at most `maxTries` times in all, until one has the file.
   *
   * @param attempt Resolves to undefined when that mirror does not have the file.
   * @returns Undefined when no mirror has it.
   * @throws Failure `unavailable` with the last reason, when a mirror failed in another way.
   */
  async ask<T>(
    what: string,
    attempt: (upstream: Upstream) => Promise<T | undefined>,
    { isOptional = false, signal }: AskOptions = {},
  ): Promise<T | undefined> {
    const left = new Map(this.upstreams.map((each) => [each, { tries: 0, damaged: 0, notBeforeMs: 0 }]))
    const search: Search = { left, isOptional, signal, isMissing: false, lastError: undefined }
    for (let tries = 0; tries < maxTries; tries++) {
      const upstream = await this.#next(search)
      if (!upstream) break
      try {
        const found = await attempt(upstream)
        this.#noteSuccess(upstream)
        if (found !== undefined) return found
        search.isMissing = true
        left.delete(upstream)
      } catch (error) {
        if (signal?.aborted || !(error instanceof Failure)) throw error
        this.#noteFailure(search, upstream, error)
      }
    }
    const { isMissing, lastError } = search
    if (lastError === undefined || (isOptional && isMissing)) return undefined
    const message = `${what} could not be fetched; the last try: ${failureMessage(lastError)}`
    throw new Failure('unavailable', message, { cause: lastError })
  }

  async close(): Promise<void> {
    await Promise.all(this.upstreams.map((upstream) => upstream.close().catch(() => undefined)))
  }

  /**
   * The first mirror that may be asked now. If every mirror must pause, it waits for the one that is ready
   * first. It does not wait for an optional file that one mirror lacks, and returns undefined.
   */
  async #next({ left, isOptional, isMissing, signal }: Search): Promise<Upstream | undefined> {
    signal?.throwIfAborted()
    const now = this.#clock()
    let soonest: Upstream | undefined
    let soonestMs = Number.POSITIVE_INFINITY
    for (const [upstream, { notBeforeMs }] of left) {
      const readyMs = Math.max(notBeforeMs, this.#health.get(upstream)?.notBeforeMs ?? 0)
      if (readyMs <= now) return upstream
      if (readyMs < soonestMs) [soonest, soonestMs] = [upstream, readyMs]
    }
    if (isOptional && isMissing) return undefined
    if (soonest) await this.#pause(soonestMs - now, signal)
    return soonest
  }

  #noteSuccess(upstream: Upstream): void {
    const health = this.#health.get(upstream)
    if (health) health.failures = 0
  }

  #noteFailure(search: Search, upstream: Upstream, error: Failure): void {
    const { left, isOptional } = search
    if (error.kind === 'forbidden') {
      left.delete(upstream)
      if (isOptional) search.isMissing = true
      else search.lastError = error
      return
    }
    search.lastError = error
    const mine = left.get(upstream)
    if (!mine) return
    mine.notBeforeMs = this.#clock() + backOffMs(mine.tries++, this.#chance())
    if (error instanceof TransientFailure) this.#backOff(upstream, error)
    // Damaged twice: this mirror has a damaged copy.
    else if (error.kind === 'invalid-data' && ++mine.damaged >= 2) left.delete(upstream)
  }

  #backOff(upstream: Upstream, { isOfServer, retryAfterMs }: TransientFailure): void {
    const health = this.#health.get(upstream)
    if (!health || !isOfServer) return
    const now = this.#clock()
    // Several files fail at the same moment for the same reason: that counts once.
    if (now >= health.notBeforeMs) health.failures++
    const pauseMs =
      retryAfterMs === undefined
        ? backOffMs(health.failures - 1, this.#chance())
        : Math.min(retryAfterMs, longestRetryAfterMs)
    health.notBeforeMs = Math.max(health.notBeforeMs, now + pauseMs)
  }
}
