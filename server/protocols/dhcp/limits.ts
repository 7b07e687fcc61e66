import { LRUCache } from 'lru-cache'

export interface AnswerLimits {
  /** Requests of one machine in ten seconds that are answered, on every side of the network. Firmware sends a handful. */
  readonly perClient: number
  /** Requests in one second, of all together. */
  readonly perSecond: number
  /** Decisions that are under way at once. */
  readonly pending: number
}

export const defaultLimits: AnswerLimits = { perClient: 40, perSecond: 2000, pending: 1000 }

const clientWindowMs = 10_000
const mostClients = 10_000

/** Keeps a flood, forged or not, from becoming a flood of broadcasts of ours. Bounded in memory. */
export class AnswerRate {
  readonly #limits: AnswerLimits
  readonly #clients = new LRUCache<string, { sinceMs: number; count: number }>({ max: mostClients })
  #sinceMs = Number.NEGATIVE_INFINITY
  #count = 0

  constructor(limits: AnswerLimits) {
    this.#limits = limits
  }

  admit(client: string, nowMs: number): boolean {
    if (nowMs - this.#sinceMs >= 1000) {
      this.#sinceMs = nowMs
      this.#count = 0
    }
    if (this.#count >= this.#limits.perSecond) return false
    const known = this.#clients.get(client)
    const current = known && nowMs - known.sinceMs < clientWindowMs ? known : { sinceMs: nowMs, count: 0 }
    if (current.count >= this.#limits.perClient) return false
    current.count++
    this.#count++
    this.#clients.set(client, current)
    return true
  }
}
