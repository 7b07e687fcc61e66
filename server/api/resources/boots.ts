import { z } from 'zod'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { bootDetailView, bootSummaryView } from '../boot-views.ts'
import { numberedPage, numberedQuery } from '../lists.ts'
import { json, needs, route } from '../route.ts'
import { bootDetail, bootPage, bootState } from '../schemas/boots.ts'

const path = '/api/v1/boots'
const access = needs('viewer', 'guests:read')

const sinceText = 'a time such as 2026-11-30T14:00:00Z'
const idText = 'the number of a boot'

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
      since: z.iso
        .datetime({ offset: true, error: sinceText })
        .optional()
        .meta({ description: 'only boots that began at this time or later' }),
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
] as const
