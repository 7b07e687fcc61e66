import { z } from 'zod'
import type { DefinitionKind } from '../../config/definition-files.ts'
import { isMapping, readYaml, type YamlMapping, type YamlValue } from '../../config/yaml.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import type { SetChange } from '../../definitions/definitions.ts'
import { hasStars, withPresentSecrets } from '../../definitions/secrets.ts'
import { starredData } from '../../definitions/shown-difference.ts'
import type { ApiContext } from '../context.ts'
import {
  type Deed,
  type DefinitionResource,
  definitionBytes,
  dryRun,
  etagHeader,
  expectedState,
  inForce,
  locationOf,
  type NewDefinition,
  pathsOf,
  requireAlso,
  type Target,
} from '../definition-resource.ts'
import { definitionView, triedView } from '../definition-views.ts'
import type { Reply } from '../reply.ts'
import { json, route } from '../route.ts'
import {
  definition as definitionSchema,
  isPlain,
  mapping,
  plainText,
  setChange,
} from '../schemas/definitions.ts'
import { moveRoute, renameRoute } from './definition-moves.ts'

const yamlType = 'application/yaml'
const patchType = 'application/merge-patch+json'

/**
 * The routes by which definitions of one kind are made, read, changed and removed. A change is checked with all other
 * definitions before anything is written, and is in force when its response is sent.
 */
export function definitionRoutes<
  const Word extends string,
  More extends z.ZodRawShape = Record<never, never>,
>(resource: DefinitionResource<Word, More>) {
  const rename = renameRoute(resource)
  const rows = [
    createRoute(resource),
    readRoute(resource),
    putRoute(resource),
    patchRoute(resource),
    deleteRoute(resource),
    rename,
    moveRoute(resource),
  ] as const
  // Its type stays in the list: a kind whose names cannot change has no such row, and nobody asks for it.
  return resource.beforeRename ? rows : (rows.filter((row) => row !== rename) as unknown as typeof rows)
}

function createRoute<Word extends string, More extends z.ZodRawShape>(
  resource: DefinitionResource<Word, More>,
) {
  const { kind, word, writes, before, more } = resource
  const { plural } = pathsOf(kind)
  const newDefinition = z
    .object({ name: z.string('a name'), definition: mapping, ...(more as More) })
    .meta({ id: `New${word}` })
  return route({
    method: 'POST',
    path: plural,
    operation: `create${word}`,
    summary: `makes a new ${kind}, in a file of its own`,
    access: writes,
    failures: ['conflict', 'invalid-data', 'read-only'],
    makes: true,
    query: z.object(dryRun),
    body: newDefinition,
    bodyBytes: definitionBytes,
    answers: {
      200: json(setChange),
      201: json(setChange, { ...etagHeader, Location: 'the path of the new definition' }),
    },
    async handle(call, context) {
      const { definitions } = context
      const made = call.body as unknown as NewDefinition
      requireAlso({ name: made.name, after: made.definition, made }, { resource, call }, context)
      const wanted = withPresentSecrets(made.definition, {})
      const isDryRun = call.query['dry-run']
      const changed = await definitions.write(kind, made.name, wanted, {
        dryRun: isDryRun,
        before: async () => before?.(made.name, made, context),
      })
      if (isDryRun) return { json: triedView(made.name, changed) }
      const reply = await inForce({ kind, name: made.name, call }, changed, context)
      const headers = { ...reply.headers, Location: locationOf(kind, made.name) }
      return { ...reply, status: 201, headers }
    },
  })
}

function readRoute<Word extends string>({ kind, word, reads }: DefinitionResource<Word>) {
  const { one, params } = pathsOf(kind)
  return route({
    method: 'GET',
    path: `${one}/definition`,
    operation: `get${word}Definition`,
    summary: `the definition of a ${kind} as it is written`,
    access: reads,
    params,
    answers: { 200: json(definitionSchema, etagHeader) },
    async handle(call, { definitions }) {
      const found = await definitions.read(kind, call.params.name)
      return { json: definitionView(found), headers: defined({ ETag: found.etag }) }
    },
  })
}

function putRoute<Word extends string>(resource: DefinitionResource<Word>) {
  const { kind, word, writes } = resource
  const { one, params } = pathsOf(kind)
  return route({
    method: 'PUT',
    path: `${one}/definition`,
    operation: `put${word}Definition`,
    summary: `replaces the definition of a ${kind}`,
    description:
      'With YAML the body is the whole file. With JSON only what differs is changed: comments, order and style of the file stay.',
    access: writes,
    changes: true,
    failures: ['invalid-data', 'read-only', 'unsupported'],
    params,
    query: z.object(dryRun),
    body: z.union([z.string(), mapping], 'a mapping of keys to values'),
    bodyTypes: ['application/json', yamlType],
    bodyBytes: definitionBytes,
    answers: { 200: json(setChange, etagHeader) },
    handle: (call, context) =>
      change(
        { resource, name: call.params.name, isDryRun: call.query['dry-run'], call },
        context,
        (present) =>
          typeof call.body === 'string'
            ? textFor(call.body)
            : withPresentSecrets(call.body as YamlMapping, present),
      ),
  })
}

function patchRoute<Word extends string>(resource: DefinitionResource<Word>) {
  const { kind, word, writes } = resource
  const { one, params } = pathsOf(kind)
  return route({
    method: 'PATCH',
    path: `${one}/definition`,
    operation: `patch${word}Definition`,
    summary: `changes some keys of the definition of a ${kind}`,
    description: 'A merge patch (RFC 7396): null removes a key. All other bytes of the file stay.',
    access: writes,
    changes: true,
    failures: ['invalid-data', 'read-only', 'unsupported'],
    params,
    query: z.object(dryRun),
    body: mapping,
    bodyTypes: [patchType, 'application/json'],
    bodyBytes: definitionBytes,
    answers: { 200: json(setChange, etagHeader) },
    handle: (call, context) =>
      change(
        { resource, name: call.params.name, isDryRun: call.query['dry-run'], call },
        context,
        (present) => withPresentSecrets(patched(present, call.body as YamlMapping) as YamlMapping, present),
      ),
  })
}

function deleteRoute<Word extends string>({ kind, word, writes, isNamed }: DefinitionResource<Word>) {
  const { one, params } = pathsOf(kind)
  return route({
    method: 'DELETE',
    path: one,
    operation: `delete${word}`,
    summary: `removes the file of a ${kind}`,
    ...(isNamed && { description: `A ${kind} that others name stays, and \`errors\` names each of them.` }),
    access: writes,
    changes: true,
    failures: ['invalid-data', 'read-only'],
    params,
    query: z.object({ ...dryRun, ...(isNamed && { 'replace-by': replaceBy(kind) }) }),
    answers: { 200: json(setChange) },
    async handle(call, context) {
      const { name } = call.params
      const { 'dry-run': isDryRun, 'replace-by': other } = call.query as RemoveQuery
      const { expected } = await expectedState({ kind, name, call }, context.definitions)
      const options = { expected, dryRun: isDryRun, ...defined({ replaceBy: other }) }
      const changed = await context.definitions.remove(kind, name, options)
      if (isDryRun) return { json: triedView(name, changed) }
      const deed = other === undefined ? undefined : replacedDeed(changed, other)
      return inForce({ kind, name, call }, changed, context, deed)
    },
  })
}

interface RemoveQuery {
  readonly 'dry-run': boolean
  readonly 'replace-by'?: string | undefined
}

function replaceBy(kind: DefinitionKind) {
  return z
    .string()
    .min(1, 'a name')
    .optional()
    .meta({ description: `the ${kind} that takes its place in all that name it` })
}

function replacedDeed({ before, others }: SetChange, replacedBy: string): Deed {
  const also = others.map(({ where }) => where)
  return { action: 'remove', before: starredData(before), after: { replacedBy, also } }
}

interface Change extends Omit<Target, 'kind'> {
  readonly resource: DefinitionResource
  readonly isDryRun: boolean
}

async function change(
  { resource, name, isDryRun, call }: Change,
  context: ApiContext,
  wanted: (present: YamlMapping) => string | YamlMapping,
): Promise<Reply<z.input<typeof setChange>>> {
  const { definitions } = context
  const { kind } = resource
  const { present, expected } = await expectedState({ kind, name, call }, definitions)
  const options = { expected, dryRun: isDryRun }
  const made = wanted(present.data ?? {})
  const after = typeof made === 'string' ? mappingIn(made) : made
  requireAlso({ name, before: present.data ?? {}, after }, { resource, call }, context)
  const changed = await definitions.write(kind, name, made, options)
  return isDryRun ? { json: triedView(name, changed) } : inForce({ kind, name, call }, changed, context)
}

function mappingIn(text: string): YamlMapping | undefined {
  const { value } = readYaml(text)
  return isMapping(value) ? value : undefined
}

/** @throws Failure `bad-request` for a text with stars, since nobody can say which secret they stand for, or too many values. */
function textFor(text: string): string {
  const { value } = readYaml(text)
  const hasNoPlace = isMapping(value) && hasStars(value)
  if (hasNoPlace || !isPlain(value)) {
    const expected = hasNoPlace ? 'no stars in a whole file; send JSON, or PATCH what changes' : plainText
    throw new Failure('bad-request', `the body: expected ${expected}`, {
      details: [{ field: 'body', expected }],
    })
  }
  return text
}

/** RFC 7396 section 2. */
function patched(target: YamlValue | undefined, patch: YamlValue): YamlValue {
  if (!isMapping(patch)) return patch
  const result: YamlMapping = isMapping(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch))
    if (value === null) delete result[key]
    else result[key] = patched(Object.hasOwn(result, key) ? result[key] : undefined, value)
  return result
}
