import { z } from 'zod'
import type { Snapshot } from '../../catalog/snapshot.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import type { Guest } from '../../core/guest/guest.ts'
import { lineDifference } from '../../definitions/line-difference.ts'
import { createAnswers } from '../../namespace/namespace.ts'
import { reviewTemplates } from '../../namespace/template-review.ts'
import { lintTemplates } from '../../templates/lint.ts'
import { guestNamed } from '../guest-named.ts'
import { segments } from '../input.ts'
import { wholeList } from '../lists.ts'
import { json, needs, type Route, route } from '../route.ts'
import { templateProblemPage, templateReview, templateText } from '../schemas/templates.ts'
import { templateBody } from '../template-text.ts'

const one = '/api/v1/templates/*name'
const params = z.object({ name: segments })
/** Whoever may save a template may try it; a text can be made that tells the secrets of a guest. */
const access = needs('operator', 'templates:write')

/** Texts of templates that are tried and not saved. */
export const templateTrialRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: `${one}/lint`,
    operation: 'lintTemplate',
    summary: 'what is wrong with a text, if it were this template',
    access,
    params,
    body: templateText,
    ...templateBody,
    answers: { 200: json(templateProblemPage) },
    async handle(call, { snapshot, spare }) {
      const { name } = call.params
      const { templates } = withText(snapshot(), name, call.body)
      const all = await spare.use((renderer) => lintTemplates(templates, renderer))
      const own = all.filter(({ template }) => template === name)
      return {
        json: wholeList(
          own.map(({ line, severity, message, remedy }) => ({
            line,
            severity,
            message,
            ...defined({ remedy }),
          })),
        ),
      }
    },
  }),
  route({
    method: 'POST',
    path: `${one}/preview`,
    operation: 'previewTemplate',
    summary: 'the answer file that a guest would get of a text, with its secrets starred',
    description: 'Without a body: of the template as it is saved.',
    access,
    failures: ['invalid-data'],
    params,
    query: z.object({ guest: z.string('the name of a guest') }),
    body: templateText,
    ...templateBody,
    answers: { 200: { type: 'text/plain' } },
    async handle(call, { snapshot, services, machines, spare }) {
      const { name } = call.params
      const saved = snapshot()
      const guest = withTemplate(guestNamed(saved, call.query.guest), name)
      const text = call.body === '' ? saved.templates.get(name) : call.body
      if (text === undefined) throw new Failure('not-found', `there is no template ${name}`)
      const asked = { guest, who: call.who, snapshot: withText(saved, name, text) }
      const shown = await spare.use((renderer) =>
        createAnswers({ services, machines, renderer }).answers.starred(asked),
      )
      const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' }
      return { headers, text: shown.text }
    },
  }),
  route({
    method: 'POST',
    path: `${one}/review`,
    operation: 'reviewTemplate',
    summary: 'what a text would change, if it were this template: guests that it breaks, and each difference',
    access,
    params,
    body: templateText,
    ...templateBody,
    answers: { 200: json(templateReview) },
    handle: (call, { snapshot, services, machines, spare, turns }) =>
      turns.take('a template is reviewed', call, async () => {
        const texts = new Map([[call.params.name, call.body]])
        const json = await spare.use((renderer) => {
          const { answers } = createAnswers({ services, machines, renderer })
          return reviewTemplates(
            snapshot(),
            { texts },
            { answers, who: call.who, difference: lineDifference },
          )
        })
        return { json }
      }),
  }),
]

function withText(snapshot: Snapshot, name: string, text: string): Snapshot {
  return { ...snapshot, templates: new Map(snapshot.templates).set(name, text) }
}

function withTemplate(guest: Guest, name: string): Guest {
  const from = guest.settings.template?.from ?? guest.definedAt
  return { ...guest, settings: { ...guest.settings, template: { value: name, from } } }
}
