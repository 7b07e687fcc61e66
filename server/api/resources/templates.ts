import { z } from 'zod'
import { type Caller, whyNotAllowed } from '../../core/access/access.ts'
import { starredParts } from '../../core/access/starred.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import type { Definition, DefinitionChange } from '../../definitions/definitions.ts'
import { shownTemplateDifference } from '../../definitions/shown-difference.ts'
import type { TemplateSetChange } from '../../definitions/template-definitions.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext } from '../context.ts'
import { dryRun, etagHeader, expectedTag } from '../definition-resource.ts'
import { segments } from '../input.ts'
import { listQuery, pageOf, wholeList } from '../lists.ts'
import type { Reply } from '../reply.ts'
import { type Call, json, needs, route } from '../route.ts'
import { templateChange, templatePage, templateText, templateVersionPage } from '../schemas/templates.ts'
import { templateBody } from '../template-text.ts'
import { timeText } from '../views.ts'

const plural = '/api/v1/templates'
const one = `${plural}/*name`
const params = z.object({ name: segments })
const reads = needs('viewer')
const writes = needs('operator', 'templates:write')
const reason = {
  reason: z
    .string()
    .optional()
    .meta({ description: 'why it is done in spite of the problems that it adds: one line, which is kept' }),
}
const reasonText =
  'A change that adds a problem to a template or to a guest is refused, and `errors` has each, unless `reason` says why it is made all the same.'

/** Templates of answer files, and their snippets. */
export const templateRoutes = [
  route({
    method: 'GET',
    path: plural,
    operation: 'listTemplates',
    summary: 'the templates and snippets, and how many guests have each',
    access: reads,
    query: listQuery(['name', 'guests', 'bytes'], { q: z.string().optional() }),
    answers: { 200: json(templatePage) },
    async handle({ query }, { templates, snapshot }) {
      const counts = new Map<string, number>()
      for (const { settings } of snapshot().guests.all)
        if (settings.template)
          counts.set(settings.template.value, (counts.get(settings.template.value) ?? 0) + 1)
      const all = (await templates.list()).map((each) => templateView(each, counts.get(each.name) ?? 0))
      const q = query.q?.toLowerCase()
      return {
        json: pageOf(all, query, {
          idOf: ({ name }) => name,
          keys: { guests: ({ guests }) => guests, bytes: ({ bytes }) => bytes ?? 0 },
          isWanted: q === undefined ? undefined : ({ name }) => name.toLowerCase().includes(q),
        }),
      }
    },
  }),
  route({
    method: 'GET',
    path: `${one}/history`,
    operation: 'listTemplateVersions',
    summary: 'what the template was, whoever changed it; the newest first',
    description: 'The newest 100 contents are kept, of all templates together 64 MiB.',
    access: reads,
    params,
    answers: { 200: json(templateVersionPage) },
    async handle({ params: { name } }, { templateHistory, snapshot }) {
      const versions = await templateHistory.of(name)
      if (versions.length === 0) throw noVersions(name, snapshot().templates)
      const items = versions.map(({ digest, bytes, atMs, by }, i) => {
        return { digest, bytes, at: timeText(atMs), by: by ?? null, current: i === 0 && digest !== null }
      })
      return { json: wholeList(items) }
    },
  }),
  route({
    method: 'GET',
    path: `${one}/history/:digest`,
    operation: 'getTemplateVersion',
    summary: 'an earlier content of a template',
    access: reads,
    params: z.object({ name: segments, digest: z.string() }),
    answers: { 200: { type: 'text/plain' } },
    async handle({ params: { name, digest }, caller }, { templateHistory }) {
      return shownText(await templateHistory.textOf(name, digest), caller)
    },
  }),
  route({
    method: 'POST',
    path: `${one}/rollback`,
    operation: 'rollBackTemplate',
    summary: 'writes an earlier content of a template again',
    description: reasonText,
    access: writes,
    changes: true,
    failures: ['invalid-data', 'read-only'],
    params,
    query: z.object({ ...dryRun, ...reason }),
    body: z.object({ digest: z.string('the digest of an earlier content') }).meta({ id: 'TemplateRollback' }),
    answers: { 200: json(templateChange, etagHeader) },
    async handle(call, context) {
      const { name } = call.params
      const expected = await expectedOf(name, call, context)
      const text = await context.templateHistory.textOf(name, call.body.digest)
      const made = await context.templates.write(name, text, { ...optionsOf(call.query), expected })
      return inForce({ name, call }, made, context)
    },
  }),
  route({
    method: 'GET',
    path: one,
    operation: 'getTemplate',
    summary: 'a template as it is written',
    description:
      'Who may not write templates sees hashes of passwords, private keys and tokens in it starred.',
    access: reads,
    failures: ['invalid-data'],
    params,
    answers: { 200: { type: 'text/plain', headers: etagHeader } },
    async handle({ params: { name }, caller }, { templates }) {
      const { text, etag, where } = await templates.read(name)
      if (text === undefined) throw new Failure('invalid-data', `${where} is no UTF-8 text`)
      const shown = shownText(text, caller)
      return { ...shown, headers: { ...shown.headers, ...defined({ ETag: etag }) } }
    },
  }),
  route({
    method: 'PUT',
    path: one,
    operation: 'putTemplate',
    summary: 'makes or replaces a template',
    description: reasonText,
    access: writes,
    changes: 'or-makes',
    failures: ['invalid-data', 'read-only'],
    params,
    query: z.object({ ...dryRun, ...reason }),
    body: templateText,
    ...templateBody,
    answers: { 200: json(templateChange, etagHeader), 201: json(templateChange, etagHeader) },
    async handle(call, context) {
      const { name } = call.params
      const makes = call.req.headers['if-none-match']?.trim() === '*'
      const expected = makes ? undefined : await expectedOf(name, call, context)
      const options = { ...optionsOf(call.query), ...defined({ expected }) }
      const made = await context.templates.write(name, call.body, options)
      const reply = await inForce({ name, call }, made, context)
      return makes && !options.dryRun ? { ...reply, status: 201 } : reply
    },
  }),
  route({
    method: 'DELETE',
    path: one,
    operation: 'deleteTemplate',
    summary: 'removes a template',
    description: `One that guests, profiles or other templates name stays, and \`errors\` names each of them. ${reasonText}`,
    access: writes,
    changes: true,
    failures: ['invalid-data', 'read-only', 'unsupported'],
    params,
    query: z.object({
      ...dryRun,
      ...reason,
      'replace-by': z
        .string()
        .min(1, 'a name')
        .optional()
        .meta({ description: 'the template that takes its place in all that name it' }),
    }),
    answers: { 200: json(templateChange) },
    async handle(call, context) {
      const { name } = call.params
      const expected = await expectedOf(name, call, context)
      const { 'replace-by': replaceBy, ...query } = call.query
      const options = { ...optionsOf(query), expected, ...defined({ replaceBy }) }
      return inForce({ name, call }, await context.templates.remove(name, options), context)
    },
  }),
  route({
    method: 'POST',
    path: `${one}/rename`,
    operation: 'renameTemplate',
    summary: 'gives a template another name, with all that name it',
    access: writes,
    changes: true,
    makes: true,
    failures: ['invalid-data', 'read-only', 'unsupported'],
    params,
    query: z.object(dryRun),
    body: z.object({ to: z.string('a name') }).meta({ id: 'RenameTemplate' }),
    answers: { 200: json(templateChange, etagHeader) },
    async handle(call, context) {
      const { name } = call.params
      const { to } = call.body
      const expected = await expectedOf(name, call, context)
      const made = await context.templates.rename(name, to, { ...optionsOf(call.query), expected })
      return inForce({ name, newName: to, call }, { ...made, problems: [] }, context)
    },
  }),
] as const

/** A template may have the name of this path: it is read where its slashes are escaped. */
function noVersions(name: string, templates: ReadonlyMap<string, string>): Failure {
  const hint = templates.has(`${name}/history`)
    ? `template ${name}/history is at ${plural}/${encodeURIComponent(`${name}/history`)}`
    : `${plural} lists them`
  return new Failure('not-found', `no template ${name} is or was there; ${hint}`)
}

/** Who may not write templates sees what looks like a secret starred. */
function shownText(text: string, caller: Caller | undefined) {
  const isWriter = caller !== undefined && whyNotAllowed(caller, writes) === undefined
  return {
    headers: { 'Content-Type': 'text/plain; charset=utf-8' },
    text: isWriter ? text : starredParts(text),
  }
}

function templateView({ name, where, etag, readOnly, text }: Definition, guests: number) {
  return {
    name,
    where,
    etag: etag ?? null,
    readOnly: readOnly ?? null,
    bytes: text === undefined ? null : Buffer.byteLength(text),
    guests,
  }
}

interface ChangeQuery {
  readonly 'dry-run': boolean
  readonly reason?: string | undefined
}

function optionsOf({ 'dry-run': dryRun, reason }: ChangeQuery) {
  return { dryRun, ...defined({ reason }) }
}

/** @throws Failure as `expectedTag`; `not-found` for a template that is not there. */
async function expectedOf(name: string, call: Pick<Call, 'req'>, { templates }: ApiContext): Promise<string> {
  return expectedTag(await templates.read(name), call)
}

interface ChangedTemplate {
  readonly name: string
  /** When it gets another one. */
  readonly newName?: string
  readonly call: Pick<Call<unknown, ChangeQuery>, 'query' | 'caller' | 'from'>
}

/** Writes the change down, and waits until the server uses it. */
async function inForce(
  { name, newName, call }: ChangedTemplate,
  changed: TemplateSetChange,
  { accounts, catalog, templateHistory }: ApiContext,
): Promise<Reply<z.input<typeof templateChange>>> {
  const { where, before, after, etag, others, problems } = changed
  const { 'dry-run': isDryRun, reason } = call.query
  const isMade = !isDryRun && (before !== after || others.length > 0)
  if (isMade) {
    const also = others.map((other) => other.where)
    await accounts.audit.write(actorOf(call), {
      action: `templates.${newName === undefined ? deedOf(changed) : 'rename'}`,
      target: name,
      // A template is a long text: what it was and is, is told by what changed.
      after: { difference: differenceOf(changed), ...defined({ name: newName, reason }), also },
    })
    if (after !== undefined) templateHistory.expect(after, actorOf(call).account)
    await catalog.readConfig()
    await catalog.readTemplates()
  }
  return {
    headers: defined({ ETag: etag }),
    json: {
      name: newName ?? name,
      where,
      etag: etag ?? null,
      changed: isMade,
      difference: differenceOf(changed),
      others: others.map((other) => ({ where: other.where, difference: differenceOf(other) })),
      problems,
    },
  }
}

function differenceOf({ before, after }: DefinitionChange): string {
  return shownTemplateDifference(before, after)
}

function deedOf({ before, after }: DefinitionChange): 'create' | 'change' | 'remove' {
  if (before === undefined) return 'create'
  return after === undefined ? 'remove' : 'change'
}
