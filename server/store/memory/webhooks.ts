import {
  droppedAnswer,
  type NewDelivery,
  type TriedDelivery,
  type WebhookCounts,
  type WebhookDelivery,
  type WebhookStore,
  webhookEndedKept,
  webhookWaitingKept,
} from '../webhooks.ts'

/** Deliveries in memory, for tests and for commands without a store. */
export class MemoryWebhooks implements WebhookStore {
  readonly #deliveries = new Map<number, WebhookDelivery>()
  #last = 0

  async add(deliveries: readonly NewDelivery[]): Promise<void> {
    for (const each of deliveries) {
      const id = ++this.#last
      this.#deliveries.set(id, { ...each, id, state: 'waiting', tries: 0, nextMs: each.atMs })
    }
    for (const hook of new Set(deliveries.map((each) => each.hook))) this.#prune(hook)
  }

  async next(hook: string): Promise<WebhookDelivery | undefined> {
    return this.#of(hook)
      .filter(({ state }) => state === 'waiting')
      .sort((a, b) => a.nextMs - b.nextMs || a.id - b.id)[0]
  }

  async tried(tried: TriedDelivery): Promise<void> {
    const before = this.#deliveries.get(tried.id)
    if (before?.state !== 'waiting') return
    this.#deliveries.set(tried.id, { ...before, ...tried })
    this.#prune(before.hook)
  }

  async list({ hook, before = Number.POSITIVE_INFINITY, limit }: Parameters<WebhookStore['list']>[0]) {
    return this.#of(hook)
      .filter(({ id }) => id < before)
      .reverse()
      .slice(0, limit)
  }

  async counts(hook: string): Promise<WebhookCounts> {
    const count = (wanted: WebhookDelivery['state']): number =>
      this.#of(hook).filter(({ state }) => state === wanted).length
    return { waiting: count('waiting'), delivered: count('delivered'), failed: count('failed') }
  }

  async keepOnly(hooks: readonly string[]): Promise<void> {
    for (const { id, hook } of [...this.#deliveries.values()])
      if (!hooks.includes(hook)) this.#deliveries.delete(id)
  }

  #of(hook: string): WebhookDelivery[] {
    return [...this.#deliveries.values()].filter((each) => each.hook === hook)
  }

  #prune(hook: string): void {
    const waiting = this.#of(hook).filter(({ state }) => state === 'waiting')
    for (const each of waiting.slice(0, -webhookWaitingKept))
      this.#deliveries.set(each.id, { ...each, state: 'failed', answer: droppedAnswer })
    const ended = this.#of(hook).filter(({ state }) => state !== 'waiting')
    for (const { id } of ended.slice(0, -webhookEndedKept)) this.#deliveries.delete(id)
  }
}
