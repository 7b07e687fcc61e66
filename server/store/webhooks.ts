/** One event that is sent to one webhook. */
export interface WebhookDelivery {
  readonly id: number
  /** Which webhook, see `webhookId`. */
  readonly hook: string
  readonly kind: string
  /** When it happened. All times are milliseconds since 1970. */
  readonly atMs: number
  /** The JSON that is sent. */
  readonly body: string
  /** `failed`: it is not tried any more. */
  readonly state: 'waiting' | 'delivered' | 'failed'
  readonly tries: number
  /** When it is tried next; only while it waits. */
  readonly nextMs: number
  readonly lastMs?: number
  /** What came of the last try, for people: `HTTP 500`. */
  readonly answer?: string
}

export type NewDelivery = Pick<WebhookDelivery, 'hook' | 'kind' | 'atMs' | 'body'>

/** What a try has changed. */
export type TriedDelivery = Pick<WebhookDelivery, 'id' | 'state' | 'tries' | 'nextMs' | 'lastMs' | 'answer'>

export interface WebhookCounts {
  readonly waiting: number
  readonly delivered: number
  readonly failed: number
}

/** Keeps what is to be sent to webhooks, and what came of it. */
export interface WebhookStore {
  /** Of one webhook, the oldest beyond `webhookWaitingKept` fail, and the oldest that ended beyond `webhookEndedKept` go. */
  add(deliveries: readonly NewDelivery[]): Promise<void>
  /** The delivery of a webhook that is to be tried first. */
  next(hook: string): Promise<WebhookDelivery | undefined>
  tried(delivery: TriedDelivery): Promise<void>
  /** The newest first. */
  list(query: {
    readonly hook: string
    readonly before?: number
    readonly limit: number
  }): Promise<readonly WebhookDelivery[]>
  counts(hook: string): Promise<WebhookCounts>
  /** Removes what belongs to other webhooks than these. */
  keepOnly(hooks: readonly string[]): Promise<void>
}

export const webhookWaitingKept = 1000
export const webhookEndedKept = 500

/** The answer of a delivery that had to make room. */
export const droppedAnswer = 'too many waited'
