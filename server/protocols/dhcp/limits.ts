import { lru } from '../../host/lru.ts'
import { RateLimit } from '../rate-limit.ts'

export interface ReplyLimits {
  /** Requests of one machine that get replies in ten seconds, on all interfaces. Firmware sends a handful. */
  readonly perClient: number
  /** Requests of all machines that get replies in one second. */
  readonly perSecond: number
  /** Decisions that may run at once. */
  readonly pending: number
}

export const defaultLimits: ReplyLimits = { perClient: 40, perSecond: 2000, pending: 1000 }

const clientWindowMs = 10_000
/** The machines that are remembered. Beyond that, the one that asked longest ago is forgotten. */
const maxClients = 10_000

/**
 * Counts requests against both limits, so that a flood of requests, forged or not, does not make us flood the
 * network with broadcasts. Its memory is bounded.
 */
export class ReplyRate {
  readonly #perClient: number
  readonly #clients = lru<string, RateLimit>(maxClients)
  readonly #all: RateLimit

  constructor({ perClient, perSecond }: Pick<ReplyLimits, 'perClient' | 'perSecond'>) {
    this.#perClient = perClient
    this.#all = new RateLimit(perSecond, 1000)
  }

  /** Whether a request may get a reply. Counts it only if both limits have room for it. */
  admit(client: string, nowMs: number): boolean {
    if (!this.#all.hasRoom(nowMs) || !this.#limitOf(client).admit(nowMs)) return false
    return this.#all.admit(nowMs)
  }

  #limitOf(client: string): RateLimit {
    const known = this.#clients.get(client)
    if (known) return known
    const limit = new RateLimit(this.#perClient, clientWindowMs)
    this.#clients.set(client, limit)
    return limit
  }
}
