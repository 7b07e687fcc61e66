import fc from 'fast-check'
import type { ApiDescription, DescribedOperation, JsonSchema } from '../../server/api/openapi.ts'

/** A request to one operation of the API. */
export interface ApiRequest {
  readonly operation: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export interface OperationAt {
  readonly method: string
  /** As OpenAPI writes it: `/api/v1/guests/{name}`. */
  readonly path: string
  readonly operation: DescribedOperation
}

export function operationsOf({ paths }: ApiDescription): readonly OperationAt[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
}

/** Values that mean something to the server under test, and values that nobody expects. */
const oddTexts = [
  '',
  ' ',
  '0',
  '-1',
  'null',
  'true',
  '..',
  '../x',
  'a/b',
  '%00',
  'é\u0301',
  'x'.repeat(300),
  '__proto__',
]

/**
 * Any request that the description allows, and many that it forbids.
 *
 * @param known Names that are there.
 */
export function anyRequest(description: ApiDescription, known: readonly string[]): fc.Arbitrary<ApiRequest> {
  const word = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...known) },
    { weight: 1, arbitrary: fc.constantFrom(...oddTexts) },
    { weight: 1, arbitrary: fc.string({ maxLength: 20, unit: 'grapheme' }) },
  )
  const schemas = description.components.schemas
  const all = operationsOf(description).map((each) => requestTo(each, word, schemas))
  return fc.oneof(...all)
}

type Schemas = ApiDescription['components']['schemas']

function requestTo({ method, path, operation }: OperationAt, word: fc.Arbitrary<string>, schemas: Schemas) {
  const { parameters = [], requestBody, operationId } = operation
  const values = fc.record(
    Object.fromEntries(
      parameters.map(({ name, in: place, schema }) => [`${place} ${name}`, paramValue(schema, word)]),
    ),
    // Of what is not in the path anything may be missing, what is needed too.
    { requiredKeys: parameters.filter((each) => each.in === 'path').map(({ name }) => `path ${name}`) },
  ) as fc.Arbitrary<Record<string, string>>
  const types = Object.entries(requestBody?.content ?? {})
  const bodies = types.map(([type, { schema }]) =>
    fc.record({ type: fc.constant(type), text: bodyText(schema, word, schemas) }),
  )
  const junk = fc.record({ type: fc.constantFrom('application/json', 'text/plain'), text: fc.string() })
  const body =
    bodies.length === 0
      ? fc.constant(undefined)
      : fc.option(fc.oneof(...bodies, junk), { freq: 8, nil: undefined })
  return fc.tuple(values, body).map(([given, sent]): ApiRequest => {
    const inQuery = parameters.filter((each) => each.in === 'query' && `query ${each.name}` in given)
    const query = inQuery.map(({ name }) => `${name}=${encodeURIComponent(given[`query ${name}`] ?? '')}`)
    // A client resolves dots before it sends them.
    const inPath = (name: string): string =>
      encodeURIComponent(given[`path ${name}`] || '-').replace(/^\.{1,2}$/, 'dots')
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => inPath(name))
    const headers = parameters
      .filter((each) => each.in === 'header' && `header ${each.name}` in given)
      .map(({ name }) => [name, headerText(given[`header ${name}`] ?? '')])
    return {
      operation: operationId,
      method,
      path: query.length > 0 ? `${filled}?${query.join('&')}` : filled,
      headers: { ...Object.fromEntries(headers), ...(sent && { 'content-type': sent.type }) },
      ...(sent && { body: sent.text }),
    }
  })
}

/** `*` is the one `If-Match` that fits anything. */
function headerText(value: string): string {
  return /^[!-~][ -~]*$/.test(value) ? value.trim() : '*'
}

function paramValue(schema: JsonSchema, word: fc.Arbitrary<string>): fc.Arbitrary<string> {
  if (schema.enum)
    return fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...schema.enum.map(String)) }, word)
  if ([schema.type].flat().includes('integer'))
    return fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 9 }).map(String) }, word)
  return word
}

function bodyText(schema: JsonSchema, word: fc.Arbitrary<string>, schemas: Schemas): fc.Arbitrary<string> {
  const fitting = anyOf(schema, word, schemas, 4).map((value) => JSON.stringify(value) ?? '')
  return fc.oneof({ weight: 6, arbitrary: fitting }, fc.json(), fc.string())
}

/** Values of a schema, now and then with another value in the place of a part. */
function anyOf(
  schema: JsonSchema,
  word: fc.Arbitrary<string>,
  schemas: Schemas,
  depth: number,
): fc.Arbitrary<unknown> {
  const fitting = fittingOf(schema, word, schemas, depth)
  return fc.oneof({ weight: 12, arbitrary: fitting }, fc.jsonValue({ maxDepth: 2 }))
}

function fittingOf(
  schema: JsonSchema,
  word: fc.Arbitrary<string>,
  schemas: Schemas,
  depth: number,
): fc.Arbitrary<unknown> {
  const inner = (each: JsonSchema): fc.Arbitrary<unknown> => anyOf(each, word, schemas, depth - 1)
  if (schema.$ref !== undefined) return inner(schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {})
  if (schema.enum) return fc.constantFrom(...schema.enum)
  const options = schema.anyOf ?? schema.oneOf
  if (options) return fc.oneof(...options.map(inner))
  const [type] = [schema.type].flat()
  if (type === 'string') return word
  if (type === 'integer' || type === 'number') return fc.integer()
  if (type === 'boolean') return fc.boolean()
  if (type === 'array') return fc.array(inner(schema.items ?? {}), { maxLength: 3 })
  if (type === 'object' && schema.properties)
    return fc.record(
      Object.fromEntries(Object.entries(schema.properties).map(([key, each]) => [key, inner(each)])),
      { requiredKeys: [] },
    )
  return depth > 0
    ? fc.dictionary(fc.oneof(word, definitionKey), fc.oneof(word, fc.jsonValue({ maxDepth: 2 })), {
        maxKeys: 4,
      })
    : fc.constant({})
}

/** Keys of guests, profiles and mirrors. */
const definitionKey = fc.constantFrom(
  'mac',
  'uuid',
  'ip',
  'profile',
  'inherits',
  'tree',
  'template',
  'args',
  'vars',
  'url',
)
