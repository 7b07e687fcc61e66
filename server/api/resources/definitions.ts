import { z } from 'zod'
import { type DefinitionKind, definitionKinds } from '../../config/definition-files.ts'
import { isMapping, readYaml, type YamlMapping, type YamlValue } from '../../config/yaml.ts'
import type { Need } from '../../core/access/access.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { configurationLimits } from '../../core/limits/configuration.ts'
import type { Definition, DefinitionChange, Definitions } from '../../definitions/definitions.ts'
import { hasStars, withPresentSecrets } from '../../definitions/secrets.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext } from '../context.ts'
import { changeView, definitionView, starredData } from '../definition-views.ts'
import { flag, segments } from '../input.ts'
import type { Reply } from '../reply.ts'
import { type Call, json, type Route, route } from '../route.ts'
import { change as changeSchema, definition as definitionSchema, mapping } from '../schemas/definitions.ts'

/** One kind of definitions, and who may do what with it. */
export interface DefinitionResource {
  readonly kind: DefinitionKind
  readonly reads: Need
  readonly writes: Need
  /** The word in names of operations: `Guest`. */
  readonly word: string
  /** What is done before a definition is made, in the order of the body. */
  readonly before?: (name: string, body: NewDefinition, context: ApiContext) => Promise<void>
  /** More keys of the body that makes one. */
  readonly more?: z.ZodRawShape
}

export interface NewDefinition {
  readonly name: string
  readonly definition: YamlMapping
  readonly [more: string]: unknown
}

const dryRun = { 'dry-run': flag.meta({ type: 'boolean', description: 'check the change, and make none' }) }
const bodyBytes = configurationLimits.definitionFile.bytes
const yamlType = 'application/yaml'
const patchType = 'application/merge-patch+json'
const etagHeader = { ETag: 'the entity tag of the file, for `If-Match`' }

/**
 * The routes by which definitions of one kind are made, read, changed and removed. A change is checked with all other
 * definitions before anything is written, and is in force when its response is sent.
 */
export function definitionRoutes(resource: DefinitionResource): readonly Route[] {
  return [createRoute, readRoute, putRoute, patchRoute, deleteRoute].map((make) => make(resource))
}

function pathsOf(kind: DefinitionKind) {
  const { section, deep } = definitionKinds[kind]
  const plural = `/api/v1/${section}`
  // The id of a mirror is a path.
  const one = `${plural}/${deep ? '*' : ':'}name`
  return { plural, one, params: z.object({ name: deep ? segments : z.string() }) }
}

function createRoute({ kind, word, writes, before, more = {} }: DefinitionResource): Route {
  const { plural } = pathsOf(kind)
  const newDefinition = z
    .object({ name: z.string('a name'), definition: mapping, ...more })
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
    bodyBytes,
    answers: {
      200: json(changeSchema),
      201: json(changeSchema, { ...etagHeader, Location: 'the path of the new definition' }),
    },
    async handle(call, context) {
      const { definitions } = context
      const made = call.body as unknown as NewDefinition
      const wanted = withPresentSecrets(made.definition, {})
      const isDryRun = call.query['dry-run']
      const changed = await definitions.write(kind, made.name, wanted, {
        dryRun: isDryRun,
        before: async () => before?.(made.name, made, context),
      })
      if (isDryRun) return { json: changeView(made.name, changed, true) }
      const reply = await inForce({ kind, name: made.name, call }, changed, context)
      const Location = `${plural}/${made.name.split('/').map(encodeURIComponent).join('/')}/definition`
      return { ...reply, status: 201, headers: { ...reply.headers, Location } }
    },
  })
}

function readRoute({ kind, word, reads }: DefinitionResource): Route {
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

function putRoute({ kind, word, writes }: DefinitionResource): Route {
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
    bodyBytes,
    answers: { 200: json(changeSchema, etagHeader) },
    handle: (call, context) =>
      change({ kind, name: call.params.name, isDryRun: call.query['dry-run'], call }, context, (present) =>
        typeof call.body === 'string'
          ? textFor(call.body)
          : withPresentSecrets(call.body as YamlMapping, present),
      ),
  })
}

function patchRoute({ kind, word, writes }: DefinitionResource): Route {
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
    bodyBytes,
    answers: { 200: json(changeSchema, etagHeader) },
    handle: (call, context) =>
      change({ kind, name: call.params.name, isDryRun: call.query['dry-run'], call }, context, (present) =>
        withPresentSecrets(patched(present, call.body as YamlMapping) as YamlMapping, present),
      ),
  })
}

function deleteRoute({ kind, word, writes }: DefinitionResource): Route {
  const { one, params } = pathsOf(kind)
  return route({
    method: 'DELETE',
    path: one,
    operation: `delete${word}`,
    summary: `removes the file of a ${kind}`,
    access: writes,
    changes: true,
    failures: ['invalid-data', 'read-only'],
    params,
    query: z.object(dryRun),
    answers: { 200: json(changeSchema) },
    async handle(call, context) {
      const { name } = call.params
      const isDryRun = call.query['dry-run']
      const { expected } = await expectedState({ kind, name, call }, context.definitions)
      const changed = await context.definitions.remove(kind, name, { expected, dryRun: isDryRun })
      return isDryRun
        ? { json: changeView(name, changed, true) }
        : inForce({ kind, name, call }, changed, context)
    },
  })
}

interface Change {
  readonly kind: DefinitionKind
  readonly name: string
  readonly isDryRun: boolean
  readonly call: Call
}

async function change(
  { kind, name, isDryRun, call }: Change,
  context: ApiContext,
  wanted: (present: YamlMapping) => string | YamlMapping,
): Promise<Reply<z.input<typeof changeSchema>>> {
  const { definitions } = context
  const { present, expected } = await expectedState({ kind, name, call }, definitions)
  const options = { expected, dryRun: isDryRun }
  const changed = await definitions.write(kind, name, wanted(present.data ?? {}), options)
  return isDryRun
    ? { json: changeView(name, changed, true) }
    : inForce({ kind, name, call }, changed, context)
}

/** @throws Failure `precondition-required` without `If-Match`, `forbidden` for what may not be changed here. */
async function expectedState(
  { kind, name, call }: Omit<Change, 'isDryRun'>,
  definitions: Definitions,
): Promise<{ present: Definition; expected: string }> {
  const present = await definitions.read(kind, name)
  if (present.readOnly !== undefined) throw new Failure('forbidden', present.readOnly)
  const tag = call.req.headers['if-match']
  if (tag === undefined)
    throw new Failure(
      'precondition-required',
      `send If-Match with the ETag of what you change; it is ${present.etag} now`,
    )
  // What was read a moment ago is compared again under the lock.
  return { present, expected: tag.trim() === '*' ? (present.etag ?? '') : tag.trim() }
}

/** Writes the change down, and waits until the server uses it. */
async function inForce(
  { kind, name, call }: Omit<Change, 'isDryRun'>,
  changed: DefinitionChange,
  { catalog, accounts }: ApiContext,
): Promise<Reply<z.input<typeof changeSchema>>> {
  const { before, after, etag } = changed
  if (before !== after) {
    const action = `${definitionKinds[kind].section}.${deedOf(changed)}`
    const values = { before: starredData(before), after: starredData(after) }
    await accounts.audit.write(actorOf(call), { action, target: name, ...defined(values) })
    await catalog.readConfig()
  }
  return { json: changeView(name, changed, false), headers: defined({ ETag: etag }) }
}

function deedOf({ before, after }: DefinitionChange): 'create' | 'change' | 'remove' {
  if (before === undefined) return 'create'
  return after === undefined ? 'remove' : 'change'
}

/** @throws Failure `bad-request` for a text with stars: nobody can say which secret they stand for. */
function textFor(text: string): string {
  const { value } = readYaml(text)
  if (isMapping(value) && hasStars(value)) {
    const expected = 'no stars in a whole file; send JSON, or PATCH what changes'
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
