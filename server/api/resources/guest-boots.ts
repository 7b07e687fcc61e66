import { createHash } from 'node:crypto'
import { z } from 'zod'
import { starredPlan } from '../../core/boot/starred-plan.ts'
import { createAnswers } from '../../namespace/namespace.ts'
import { loaderOptions, planAs } from '../../namespace/render-boot.ts'
import { formatContentType, renderPlan } from '../../render/render.ts'
import { actorOf } from '../actor.ts'
import { inputsForGuest } from '../context.ts'
import { guestNamed } from '../guest-named.ts'
import { flag, format } from '../input.ts'
import { requireReveal } from '../reveal.ts'
import { needs, route } from '../route.ts'

const guest = '/api/v1/guests/:name'
const params = z.object({ name: z.string() })
const reads = { access: needs('viewer', 'guests:read'), readsGuests: true } as const

const starredHeader = { 'Treeboot-Starred': '`?1`: secrets are starred; `?0`: it is the true text' }

/** Yes and no as structured fields write them (RFC 9651, 3.3.6). */
function starredOr(isStarred: boolean): Readonly<Record<string, string>> {
  return { 'Treeboot-Starred': isStarred ? '?1' : '?0' }
}

/** What guests boot and get, shown without their secrets. */
export const guestBootRoutes = [
  route({
    method: 'GET',
    path: `${guest}/plan`,
    operation: 'getPlan',
    summary: 'what the guest boots, in any format, with secrets in its arguments starred',
    ...reads,
    params,
    query: z.object({ as: format }),
    failures: ['conflict', 'unsupported', 'invalid-data'],
    answers: { 200: { type: '*/*', headers: starredHeader } },
    async handle(call, context) {
      const { who, query } = call
      const found = guestNamed(context.snapshot(), call.params.name)
      const inputs = await inputsForGuest(context, who, found)
      const plan = planAs(found, query.as, inputs)
      const shown = (each: typeof plan): string => renderPlan(each, query.as, loaderOptions(who, inputs))
      const text = shown(starredPlan(plan))
      return {
        headers: { 'Content-Type': formatContentType(query.as), ...starredOr(text !== shown(plan)) },
        text,
      }
    },
  }),
  route({
    method: 'GET',
    path: `${guest}/answer`,
    operation: 'getAnswer',
    summary: 'the answer file of the guest, with its secrets starred',
    description:
      'Starred is what is not the same when the file is rendered with other secrets: variables that say one, and the token of reports. To read it claims nothing. With `reveal` it is the true text, which needs a token with the scope `answers:reveal` and is written to the audit.',
    ...reads,
    params,
    query: z.object({
      reveal: flag.meta({ type: 'boolean', description: 'show the secrets; needs the scope answers:reveal' }),
    }),
    failures: ['invalid-data'],
    answers: { 200: { type: 'text/plain', headers: starredHeader } },
    async handle(call, context) {
      const { snapshot, answers, services, machines, spare, accounts } = context
      const { who } = call
      const found = guestNamed(snapshot(), call.params.name)
      const asked = { guest: found, who, snapshot: snapshot() }
      const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' }
      if (!call.query.reveal) {
        const { text, digest } = await spare.use((renderer) =>
          createAnswers({ services, machines, renderer }).answers.starred(asked),
        )
        const isStarred = createHash('sha256').update(text).digest('hex') !== digest
        return { headers: { ...headers, ...starredOr(isStarred) }, text }
      }
      requireReveal(call)
      const { text } = await answers.render(asked)
      await accounts.audit.write(actorOf(call), { action: 'guests.reveal', target: found.name })
      return { headers: { ...headers, ...starredOr(false) }, text }
    },
  }),
] as const
