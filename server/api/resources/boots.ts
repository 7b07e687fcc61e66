import { z } from 'zod'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { bootEventView } from '../../feed/views.ts'
import { bootDetailView, bootSummaryView } from '../boot-views.ts'
import { listQuery, numberedPage, numberedQuery, pageOf } from '../lists.ts'
import { json, needs, route } from '../route.ts'
import { bootDetail, bootEventPage, bootPage, bootState } from '../schemas/boots.ts'

const path = '/api/v1/boots'
const access = needs('viewer', 'guests:read')

const sinceText = 'a time such as 2026-11-30T14:00:00Z'
const idText = 'the number of a boot'
const sinceTime = z.iso.datetime({ offset: true, error: sinceText }).optional()

export const bootRoutes = [
  route({
    method: 'GET',
    path,
    operation: 'listBoots',
    summary: 'what machines booted, how far they came and why they do not go on; the newest first',
    access,
    query: z.object({
      ...numberedQuery,
      guest: z.string().optional().meta({ description: 'only boots of this guest' }),
      state: bootState.optional(),
      since: sinceTime.meta({ description: 'only boots that began at this time or later' }),
    }),
    answers: { 200: json(bootPage) },
    async handle({ query }, { boots }) {
      const { guest, state, since } = query
      const filter = defined({ guest, state, since: since === undefined ? undefined : Date.parse(since) })
      const { items, next } = await numberedPage(query, (page) => boots.list({ ...filter, ...page }))
      return { json: { items: items.map(bootSummaryView), total: await boots.count(filter), next } }
    },
  }),
  route({
    method: 'GET',
    path: `${path}/:id`,
    operation: 'getBoot',
    summary: 'one boot, step by step',
    access,
    params: z.object({ id: z.string().regex(/^\d{1,15}$/, idText) }),
    answers: { 200: json(bootDetail) },
    async handle({ params: { id } }, { boots }) {
      const boot = await boots.read(Number(id))
      if (!boot) throw new Failure('not-found', `no boot ${id}; ${path} lists them`)
      return { json: bootDetailView(boot, await boots.compare(boot)) }
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/boot-events',
    operation: 'listBootEvents',
    summary: 'what has happened in boots, as the stream of events told it; the oldest first',
    description: 'Some 10,000 events are kept.',
    access,
    query: listQuery(['oldest'], {
      guest: z.string().optional().meta({ description: 'only of this guest' }),
      since: sinceTime.meta({ description: 'only of this time or later' }),
    }),
    answers: { 200: json(bootEventPage) },
    async handle({ query }, { boots }) {
      const { guest, since } = query
      const events = await boots.eventsSince(since === undefined ? 0 : Date.parse(since))
      const { items, ...page } = pageOf(events, query, {
        idOf: ({ seq }) => String(seq).padStart(15, '0'),
        isWanted: guest === undefined ? undefined : (event) => event.guest === guest,
      })
      return { json: { items: items.map(bootEventView), ...page } }
    },
  }),
] as const
