import { Failure, failureMessage } from '../../core/failure.ts'
import type { OnRetry } from '../import/progress.ts'
import { RefusedAddress } from './address-guard.ts'
import { backOffMs, pauseFor, type RetryTiming } from './retry-timing.ts'
import { TransientFailure, type Upstream } from './upstream.ts'

export interface AskOptions {
  /**
   * Whether the file may be missing. After a 404 or 403 from one mirror, such a file is not waited for at
   * busy mirrors. Some stores (S3) answer 403 for a missing file.
   */
  readonly isOptional?: boolean
  readonly signal?: AbortSignal
}

/** When one mirror may be asked again, for all files. */
interface MirrorHealth {
  /** How often the whole server failed in a row. */
  failures: number
  notBeforeMs: number
  /** Why it failed last. */
  error?: TransientFailure
}

/** The tries of one file at one mirror. */
interface MirrorTries {
  tries: number
  damaged: number
  notBeforeMs: number
}

/** The state of one `ask`: the mirrors that may still have the file, and what the others answered. */
interface Search {
  readonly candidates: Map<Upstream, MirrorTries>
  readonly isOptional: boolean
  readonly signal: AbortSignal | undefined
  /** Whether at least one mirror has said that it does not have the file. */
  isMissing: boolean
  lastError: unknown
}

/** The pauses between eight tries of a single mirror take about a minute at most, without `Retry-After`. */
const maxTries = 8
const longestRetryAfterMs = 300_000

/**
 * Mirrors of one tree, the preferred one first. A mirror that is overloaded (429, 503), sends `Retry-After`
 * or is unreachable (502, 504, no connection) is not asked for any file during a pause. The pause is as long
 * as the mirror requests, else it grows with exponential back-off. Meanwhile the other mirrors are asked.
 */
export class UpstreamPool {
  readonly upstreams: readonly Upstream[]
  readonly #health: ReadonlyMap<Upstream, MirrorHealth>
  readonly #pause: NonNullable<RetryTiming['pause']>
  readonly #chance: () => number
  readonly #clock: () => number
  readonly #onRetry: OnRetry | undefined
  /** When each mirror is asked again, as last told. */
  readonly #told = new Map<Upstream, number>()

  constructor(upstreams: readonly Upstream[], { pause, chance, clock }: RetryTiming = {}, onRetry?: OnRetry) {
    this.#onRetry = onRetry
    this.upstreams = upstreams
    this.#health = new Map(upstreams.map((each) => [each, { failures: 0, notBeforeMs: 0 }]))
    this.#pause = pause ?? pauseFor
    this.#chance = chance ?? Math.random
    this.#clock = clock ?? (() => performance.now())
  }

  /**
   * Tries the mirrors in turn, at most `maxTries` times in all, until one has the file.
   *
   * @param what The path of the file or folder, for messages.
   * @param attempt Resolves to undefined when that mirror does not have the file.
   * @returns Undefined when no mirror has it.
   * @throws Failure `unavailable` with the last reason, when a mirror failed in another way.
   */
  async ask<T>(
    what: string,
    attempt: (upstream: Upstream) => Promise<T | undefined>,
    { isOptional = false, signal }: AskOptions = {},
  ): Promise<T | undefined> {
    const candidates = new Map(this.upstreams.map((each) => [each, { tries: 0, damaged: 0, notBeforeMs: 0 }]))
    const search: Search = { candidates, isOptional, signal, isMissing: false, lastError: undefined }
    for (let tries = 0; tries < maxTries; tries++) {
      const upstream = await this.#next(search)
      if (!upstream) break
      try {
        const found = await attempt(upstream)
        this.#noteSuccess(upstream)
        if (found !== undefined) return found
        search.isMissing = true
        candidates.delete(upstream)
      } catch (error) {
        if (signal?.aborted || !(error instanceof Failure) || error instanceof RefusedAddress) throw error
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
   * first. For an optional file that one mirror lacks it does not wait, but returns undefined.
   */
  async #next({
    candidates,
    isOptional,
    isMissing,
    lastError,
    signal,
  }: Search): Promise<Upstream | undefined> {
    signal?.throwIfAborted()
    const now = this.#clock()
    let soonest: Upstream | undefined
    let soonestMs = Number.POSITIVE_INFINITY
    for (const [upstream, { notBeforeMs }] of candidates) {
      const readyMs = Math.max(notBeforeMs, this.#health.get(upstream)?.notBeforeMs ?? 0)
      if (readyMs <= now) return upstream
      if (readyMs < soonestMs) [soonest, soonestMs] = [upstream, readyMs]
    }
    if (isOptional && isMissing) return undefined
    if (!soonest) return undefined
    this.#tell(soonest, soonestMs, lastError)
    await this.#pause(soonestMs - now, signal)
    return soonest
  }

  /**
   * Tells of a pause. Several files wait for one mirror, each a little longer or shorter than the others
   * (`backOffMs`): only the first is told, unless one waits for much longer.
   */
  #tell(upstream: Upstream, readyMs: number, error: unknown): void {
    const now = this.#clock()
    const toldMs = (this.#told.get(upstream) ?? 0) - now
    if (toldMs > 0 && readyMs - now <= 2 * toldMs) return
    this.#told.set(upstream, readyMs)
    const why = failureMessage(error ?? this.#health.get(upstream)?.error)
    this.#onRetry?.({ why, waitMs: readyMs - now })
  }

  #noteSuccess(upstream: Upstream): void {
    const health = this.#health.get(upstream)
    if (health) health.failures = 0
  }

  #noteFailure(search: Search, upstream: Upstream, error: Failure): void {
    const { candidates, isOptional } = search
    if (error.kind === 'forbidden') {
      candidates.delete(upstream)
      if (isOptional) search.isMissing = true
      else search.lastError = error
      return
    }
    search.lastError = error
    // The mirror sends in a way that we cannot read: another try would get the same.
    if (error.kind === 'unsupported') candidates.delete(upstream)
    const attempts = candidates.get(upstream)
    if (!attempts) return
    attempts.notBeforeMs = this.#clock() + backOffMs(attempts.tries++, this.#chance())
    if (error instanceof TransientFailure) this.#backOff(upstream, error)
    // Damaged twice: this mirror has a damaged copy.
    else if (error.kind === 'invalid-data' && ++attempts.damaged >= 2) candidates.delete(upstream)
  }

  #backOff(upstream: Upstream, error: TransientFailure): void {
    const { isOfServer, retryAfterMs } = error
    const health = this.#health.get(upstream)
    if (!health || !isOfServer) return
    health.error = error
    const now = this.#clock()
    // Several files fail at the same moment for the same reason: that counts once.
    if (now >= health.notBeforeMs) health.failures++
    // After a success meanwhile, `failures` may be 0: then the pause is that of the first failure.
    const pauseMs =
      retryAfterMs === undefined
        ? backOffMs(health.failures - 1, this.#chance())
        : Math.min(retryAfterMs, longestRetryAfterMs)
    health.notBeforeMs = Math.max(health.notBeforeMs, now + pauseMs)
  }
}
