import { z } from 'zod'
import { feedTypes } from '../../core/feed-types.ts'
import { listOf, pageOf, text, time } from './common.ts'

const kind = z.enum(feedTypes)
const state = z.enum(['waiting', 'delivered', 'failed'])
const answer = text.nullable().meta({ description: 'what came of the last try: `HTTP 500`' })

export const webhookPage = pageOf(
  z
    .object({
      n: z.int().meta({ description: 'its place in config.yaml, from 1' }),
      url: text.meta({ description: 'with stars in the place of what may be a secret' }),
      kinds: listOf(kind),
      secret: z.literal('***'),
      allowPrivate: z.boolean(),
      waiting: z.int(),
      delivered: z.int().meta({ description: 'of the deliveries that are kept' }),
      failed: z.int().meta({ description: 'of the deliveries that are kept' }),
      newest: z.object({ at: time, state, answer }).nullable(),
    })
    .meta({ id: 'Webhook' }),
  'WebhookPage',
)

export const deliveryPage = pageOf(
  z
    .object({
      id: z.int().meta({ description: 'X-Treeboot-Delivery' }),
      kind,
      at: time.meta({ description: 'when it happened' }),
      state: state.meta({ description: 'failed: it is not tried any more' }),
      tries: z.int(),
      next: time.nullable().meta({ description: 'when it is tried again' }),
      last: time.nullable().meta({ description: 'when it was tried last' }),
      answer,
      body: text.meta({ description: 'what is sent' }),
    })
    .meta({ id: 'WebhookDelivery' }),
  'WebhookDeliveryPage',
)
