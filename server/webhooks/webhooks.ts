import type { WebhookConfig } from '../config/schema.ts'
import { failureMessage } from '../core/failure.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { Feed } from '../feed/feed.ts'
import type { FeedEvent } from '../feed/news.ts'
import { feedView } from '../feed/views.ts'
import { lru } from '../host/lru.ts'
import {
  type NewDelivery,
  type WebhookCounts,
  type WebhookDelivery,
  type WebhookStore,
  webhookWaitingKept,
} from '../store/webhooks.ts'
import { secretOf, shownUrl, webhookId } from './hook.ts'
import { post } from './send.ts'
import { signatureHeaders } from './signature.ts'

export interface WebhooksParts {
  readonly feed: Pick<Feed, 'newest' | 'at' | 'subscribe'>
  readonly hooks: () => readonly WebhookConfig[]
  readonly onTrouble: (error: unknown) => void
  /** Milliseconds since 1970. */
  readonly clock?: () => number
  readonly lookEveryMs?: number
  /** The pauses after each failed try; after the last one a delivery has failed. */
  readonly pausesMs?: readonly number[]
}

/** What is known of one webhook, for people. */
export interface WebhookView {
  /** Its place in the configuration, from 1. */
  readonly n: number
  readonly hook: WebhookConfig
  readonly counts: WebhookCounts
  readonly newest: WebhookDelivery | undefined
}

const [second, minute, hour] = [1000, 60_000, 3_600_000]
/** All in all a receiver may be away for a day. */
const usualPausesMs = [
  10 * second,
  30 * second,
  2 * minute,
  10 * minute,
  30 * minute,
  hour,
  3 * hour,
  6 * hour,
  12 * hour,
]
const usualLookEveryMs = 1000
/** After so many failed tries in a row a receiver is a problem. */
const failuresOfProblem = 3
const pauseOfStoreMs = minute
const troubleEveryMs = minute
/** Boots whose last told state is remembered. */
const mostBoots = 10_000

/**
 * Sends events of the feed to the webhooks of the configuration. What is to be sent is in the store first, so it survives a
 * restart. Of one webhook one delivery is under way at a time.
 */
export class Webhooks {
  readonly #parts: WebhooksParts
  readonly #clock: () => number
  readonly #stopping = new AbortController()
  /** By id of the webhook: what sends now. */
  readonly #sending = new Map<string, Promise<void>>()
  /** By id: failed tries in a row, and what the last one said. */
  readonly #failures = new Map<string, { count: number; why: string }>()
  /** By id: since when. */
  readonly #paused = new Map<string, number>()
  readonly #told = lru<number, string>(mostBoots)
  #known: readonly WebhookConfig[] | undefined
  #store: WebhookStore | undefined
  #seen = 0
  #waiting: NewDelivery[] = []
  #work: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isKeeping = false
  #unfollow: (() => void) | undefined
  #toldMs = Number.NEGATIVE_INFINITY

  constructor(parts: WebhooksParts) {
    this.#parts = parts
    this.#clock = parts.clock ?? Date.now
  }

  /** Begins to send, also what an earlier run has left. */
  open(store: WebhookStore): void {
    const { feed, lookEveryMs = usualLookEveryMs } = this.#parts
    this.#store = store
    this.#seen = feed.newest
    this.#timer = setInterval(() => this.#look(), lookEveryMs).unref()
    this.#look()
  }

  /** Breaks off what is being sent: it is tried again at the next start, with all that has happened until now. */
  async close(): Promise<void> {
    if (!this.#store) return
    clearInterval(this.#timer)
    this.#unfollow?.()
    await this.#work
    this.#take(this.#parts.hooks())
    await this.#keep().catch((error: unknown) => this.#trouble(error))
    this.#stopping.abort()
    await Promise.all(this.#sending.values())
    this.#store = undefined
  }

  async list(): Promise<readonly WebhookView[]> {
    const store = this.#store
    if (!store) return []
    return Promise.all(
      this.#parts.hooks().map(async (hook, at) => {
        const id = webhookId(hook)
        const [newest] = await store.list({ hook: id, limit: 1 })
        return { n: at + 1, hook, counts: await store.counts(id), newest }
      }),
    )
  }

  /** The deliveries of a webhook, the newest first; undefined when there is no such webhook. */
  async deliveries(
    n: number,
    page: { readonly before?: number; readonly limit: number },
  ): Promise<readonly WebhookDelivery[] | undefined> {
    const hook = this.#parts.hooks()[n - 1]
    return hook && this.#store ? this.#store.list({ hook: webhookId(hook), ...page }) : undefined
  }

  problems(): readonly SnapshotProblem[] {
    return this.#parts.hooks().flatMap((hook, at): SnapshotProblem[] => {
      const { count = 0, why = '' } = this.#failures.get(webhookId(hook)) ?? {}
      if (count < failuresOfProblem) return []
      const message = `${shownUrl(hook.url)} does not take events: ${why}`
      return [{ severity: 'warning', where: `webhooks[${at}]`, message }]
    })
  }

  #look(): void {
    this.#work ??= this.#takeAndSend()
      .catch((error: unknown) => this.#trouble(error))
      .finally(() => {
        this.#work = undefined
      })
  }

  async #takeAndSend(): Promise<void> {
    const hooks = this.#parts.hooks()
    this.#follow(hooks)
    this.#take(hooks)
    await this.#forgetOthers(hooks)
    await this.#keep()
    for (const hook of hooks) {
      const id = webhookId(hook)
      if (this.#sending.has(id) || this.#isPaused(id)) continue
      const sending = this.#send(hook, id)
        .catch((error: unknown) => {
          // What was sent could not be written down. To send it again each second would help nobody.
          this.#paused.set(id, this.#clock())
          this.#trouble(error)
        })
        .finally(() => this.#sending.delete(id))
      this.#sending.set(id, sending)
    }
  }

  /**
   * Events of one moment are stored together, and before the line of the audit that follows them: who gets the response to
   * an order can be sure that its event is told, also when the process is killed then.
   */
  #keepNow(): void {
    if (this.#isKeeping) return
    this.#isKeeping = true
    queueMicrotask(() => {
      this.#isKeeping = false
      this.#take(this.#parts.hooks())
      this.#keep().catch((error: unknown) => this.#trouble(error))
    })
  }

  #isPaused(id: string): boolean {
    const sinceMs = this.#paused.get(id) ?? Number.NEGATIVE_INFINITY
    return Math.abs(this.#clock() - sinceMs) < pauseOfStoreMs
  }

  /** The feed looks for more while somebody listens. */
  #follow(hooks: readonly WebhookConfig[]): void {
    if (hooks.length > 0) this.#unfollow ??= this.#parts.feed.subscribe(() => this.#keepNow())
    else {
      this.#unfollow?.()
      this.#unfollow = undefined
    }
  }

  #take(hooks: readonly WebhookConfig[]): void {
    const { feed } = this.#parts
    for (; this.#seen < feed.newest; this.#seen++) {
      const event = feed.at(this.#seen + 1)
      if (!event || !this.#isTold(event)) continue
      const kind = event.news.type
      const wanted = hooks.filter(({ kinds }) => kinds.includes(kind))
      if (wanted.length === 0) continue
      const body = JSON.stringify({ id: event.id, ...feedView(event) })
      for (const hook of wanted) this.#waiting.push({ hook: webhookId(hook), kind, atMs: event.atMs, body })
    }
    if (this.#waiting.length > webhookWaitingKept) this.#waiting = this.#waiting.slice(-webhookWaitingKept)
  }

  /** Of boots, new states are told and not each step. Strangers' boots are not told: anybody can make thousands. */
  #isTold({ news }: FeedEvent): boolean {
    if (news.type !== 'boots') return true
    const { boot, guest, state, reason, removed } = news.event
    if (guest === undefined || removed) return false
    const saying = `${state} ${reason ?? ''}`
    if (this.#told.get(boot) === saying) return false
    this.#told.set(boot, saying)
    return true
  }

  async #forgetOthers(hooks: readonly WebhookConfig[]): Promise<void> {
    if (hooks === this.#known) return
    const ids = hooks.map(webhookId)
    await this.#store?.keepOnly(ids)
    for (const byId of [this.#failures, this.#paused])
      for (const id of byId.keys()) if (!ids.includes(id)) byId.delete(id)
    this.#known = hooks
  }

  async #keep(): Promise<void> {
    const deliveries = this.#waiting
    if (deliveries.length === 0) return
    this.#waiting = []
    try {
      await this.#store?.add(deliveries)
    } catch (error) {
      this.#waiting = [...deliveries, ...this.#waiting].slice(-webhookWaitingKept)
      throw error
    }
  }

  async #send(hook: WebhookConfig, id: string): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const delivery = await this.#store?.next(id)
      if (!delivery || !isDue(delivery, this.#clock())) return
      const { isTaken, isGone, answer } = await this.#try(hook, delivery)
      if (this.#stopping.signal.aborted && !isTaken) return
      await this.#note(delivery, { isTaken, isGone, answer })
      const before = this.#failures.get(id)?.count ?? 0
      if (isTaken) this.#failures.delete(id)
      else this.#failures.set(id, { count: before + 1, why: answer })
    }
  }

  async #try(hook: WebhookConfig, { id, kind, body }: WebhookDelivery): Promise<Tried> {
    const { url, allowPrivate } = hook
    try {
      const seconds = Math.floor(this.#clock() / 1000)
      const headers = {
        'Content-Type': 'application/json',
        'User-Agent': 'treeboot',
        'X-Treeboot-Event': kind,
        'X-Treeboot-Delivery': String(id),
        ...signatureHeaders(await secretOf(hook), seconds, body),
      }
      const status = await post({ url, body, headers, allowPrivate, signal: this.#stopping.signal })
      const isRedirect = status >= 300 && status < 400
      const answer = isRedirect ? `HTTP ${status}; redirects are not followed` : `HTTP ${status}`
      // RFC 9110, 15.5.11: it is gone, and will not come back.
      return { isTaken: status >= 200 && status < 300, isGone: status === 410, answer }
    } catch (error) {
      return { isTaken: false, isGone: false, answer: failureMessage(error) }
    }
  }

  #trouble(error: unknown): void {
    const nowMs = this.#clock()
    // Absolute, because the clock may have been set back.
    if (Math.abs(nowMs - this.#toldMs) < troubleEveryMs) return
    this.#toldMs = nowMs
    this.#parts.onTrouble(error)
  }

  async #note({ id, tries }: WebhookDelivery, { isTaken, isGone, answer }: Tried): Promise<void> {
    const pause = isGone ? undefined : (this.#parts.pausesMs ?? usualPausesMs)[tries]
    const nowMs = this.#clock()
    const failed = pause === undefined ? 'failed' : 'waiting'
    await this.#store?.tried({
      id,
      state: isTaken ? 'delivered' : failed,
      tries: tries + 1,
      nextMs: nowMs + (pause ?? 0),
      lastMs: nowMs,
      answer,
    })
  }
}

/** A time of its own in the future was written by a clock that was set back since: it waits no longer than it would have. */
function isDue({ nextMs, lastMs, atMs }: WebhookDelivery, nowMs: number): boolean {
  return nextMs <= nowMs || (lastMs ?? atMs) > nowMs
}

interface Tried {
  readonly isTaken: boolean
  readonly isGone: boolean
  readonly answer: string
}
