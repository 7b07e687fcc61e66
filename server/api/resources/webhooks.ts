import { z } from 'zod'
import { Failure } from '../../core/failure.ts'
import type { FeedType } from '../../core/feed-types.ts'
import type { WebhookDelivery } from '../../store/webhooks.ts'
import { shownUrl } from '../../webhooks/hook.ts'
import type { WebhookView } from '../../webhooks/webhooks.ts'
import { numberedPage, numberedQuery, wholeList } from '../lists.ts'
import { json, needs, type Route, route } from '../route.ts'
import { deliveryPage, webhookPage } from '../schemas/webhooks.ts'
import { timeText } from '../views.ts'

const path = '/api/v1/webhooks'
const access = needs('admin', 'admin')

export const webhookRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path,
    operation: 'listWebhooks',
    summary: 'the webhooks of config.yaml, and how their deliveries go',
    access,
    answers: { 200: json(webhookPage) },
    async handle(_, { webhooks }) {
      return { json: wholeList((await webhooks.list()).map(webhookJson)) }
    },
  }),
  route({
    method: 'GET',
    path: `${path}/:n/deliveries`,
    operation: 'listDeliveries',
    summary: 'what was and is to be sent to a webhook, the newest first',
    access,
    params: z.object({ n: z.string().regex(/^\d{1,3}$/, 'the number of a webhook') }),
    query: z.object(numberedQuery),
    answers: { 200: json(deliveryPage) },
    async handle({ params, query }, { webhooks }) {
      const n = Number(params.n)
      const missing = () => new Failure('not-found', `no webhook ${n}; ${path} lists them`)
      const { items, next } = await numberedPage(query, async (page) => {
        const found = await webhooks.deliveries(n, page)
        if (!found) throw missing()
        return found
      })
      const hook = (await webhooks.list())[n - 1]
      if (!hook) throw missing()
      const { waiting, delivered, failed } = hook.counts
      return { json: { items: items.map(deliveryJson), total: waiting + delivered + failed, next } }
    },
  }),
]

function webhookJson({ n, hook, counts, newest }: WebhookView) {
  const { url, kinds, allowPrivate } = hook
  return {
    n,
    url: shownUrl(url),
    kinds,
    secret: '***' as const,
    allowPrivate,
    ...counts,
    newest: newest ? { at: timeText(newest.atMs), state: newest.state, answer: newest.answer ?? null } : null,
  }
}

function deliveryJson(delivery: WebhookDelivery) {
  const { id, kind, atMs, body, state, tries, nextMs, lastMs, answer } = delivery
  return {
    id,
    kind: kind as FeedType,
    at: timeText(atMs),
    state,
    tries,
    next: state === 'waiting' ? timeText(nextMs) : null,
    last: lastMs === undefined ? null : timeText(lastMs),
    answer: answer ?? null,
    body,
  }
}
