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
    answers: { 200: { type: '*/*' } },
    async handle(call, context) {
      const { who, query } = call
      const found = guestNamed(context.snapshot(), call.params.name)
      const inputs = await inputsForGuest(context, who, found)
      const plan = starredPlan(planAs(found, query.as, inputs))
      return {
        headers: { 'Content-Type': formatContentType(query.as) },
        text: renderPlan(plan, query.as, loaderOptions(who, inputs)),
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
    answers: { 200: { type: 'text/plain' } },
    async handle(call, context) {
      const { snapshot, answers, services, machines, spare, accounts } = context
      const { who } = call
      const found = guestNamed(snapshot(), call.params.name)
      const asked = { guest: found, who, snapshot: snapshot() }
      const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' }
      if (!call.query.reveal) {
        const { text } = await spare.use((renderer) =>
          createAnswers({ services, machines, renderer }).answers.starred(asked),
        )
        return { headers, text }
      }
      requireReveal(call)
      const { text } = await answers.render(asked)
      await accounts.audit.write(actorOf(call), { action: 'guests.reveal', target: found.name })
      return { headers, text }
    },
  }),
] as const
