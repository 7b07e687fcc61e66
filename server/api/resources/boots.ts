import { z } from 'zod'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { bootDetailView, bootSummaryView } from '../boot-views.ts'
import { listQuery } from '../lists.ts'
import { json, needs, type Route, route } from '../route.ts'
import { bootDetail, bootPage, bootState } from '../schemas/boots.ts'

const path = '/api/v1/boots'
const access = needs('viewer', 'guests:read')

const sinceText = 'a time such as 2026-11-30T14:00:00Z'
const idText = 'the number of a boot'

export const bootRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path,
    operation: 'listBoots',
    summary: 'what machines booted, how far they came and why they do not go on; the newest first',
    access,
    query: z.object({
      limit: listQuery(['id'], {}).shape.limit,
      cursor: z
        .string()
        .regex(/^\d{1,15}$/, '`next` of the page before')
        .optional(),
      guest: z.string().optional().meta({ description: 'only boots of this guest' }),
      state: bootState.optional(),
      since: z.iso
        .datetime({ offset: true, error: sinceText })
        .optional()
        .meta({ description: 'only boots that began at this time or later' }),
    }),
    answers: { 200: json(bootPage) },
    async handle({ query: { limit, cursor, guest, state, since } }, { boots }) {
      const filter = defined({ guest, state, since: since === undefined ? undefined : Date.parse(since) })
      const before = cursor === undefined ? {} : { before: Number(cursor) }
      const found = await boots.list({ ...filter, ...before, limit: limit + 1 })
      const items = found.slice(0, limit)
      const last = items.at(-1)
      const next = found.length > limit && last ? String(last.id) : null
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
      return { json: bootDetailView(boot) }
    },
  }),
]
