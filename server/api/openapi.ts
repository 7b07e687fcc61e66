import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi'
import { z } from 'zod'
import { type FailureKind, failureKinds } from '../core/failure.ts'
import { httpStatus } from '../core/http-status.ts'
import { problemTitles, problemType } from './problem.ts'
import type { Answer, Method, Route } from './route.ts'
import { problem } from './schemas/common.ts'

/** The description of the API (OpenAPI 3.1), made from the route table. */
export interface ApiDescription {
  readonly openapi: string
  readonly info: { readonly version: string; readonly description: string }
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  /** Path -> method in lower case -> operation. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> }
}

export interface DescribedOperation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description?: string
  /** Empty: everybody. */
  readonly security: readonly unknown[]
  readonly 'x-role'?: string
  readonly 'x-scope'?: string
  readonly parameters?: readonly DescribedParameter[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>
}

type Content = Readonly<Record<string, { readonly schema: JsonSchema }>>

export interface DescribedParameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly description?: string
  readonly schema: JsonSchema
}

/** The part of JSON Schema that descriptions use. */
export interface JsonSchema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly description?: string
}

const info = {
  title: 'treeboot',
  summary: 'Installation trees, guests and their boots',
  description: [
    'Everything that the command line and the pages do. Paths with slashes in a parameter (the id of a tree, the path of an upload) may be written with `/` or `%2F`.',
    '',
    'Lists have `items`, `total` and `next`, which is the `cursor` of the next page. Errors are problem documents (RFC 9457). A change of a definition needs `If-Match` with the `ETag` of what it changes. A request that makes something may be sent again with the same `Idempotency-Key`.',
  ].join('\n'),
  license: { name: 'MIT', identifier: 'MIT' },
}

/** The groups of operations: the first word of their paths below `/api/v1/`. */
const tagTexts: Readonly<Record<string, string>> = {
  lookup: 'what installers and hypervisors ask: kernel, initrd and arguments',
  trees: 'installation trees',
  uploads: 'trees and images that come in',
  jobs: 'imports, mirrors, verifications, publications and boot tests that take minutes',
  'boot-tests': 'machines that are booted from a version, and those that wait',
  guests: 'machines that are known, and what they boot',
  profiles: 'settings that guests inherit',
  mirrors: 'trees that are fetched from elsewhere',
  templates: 'templates of answer files, and their snippets',
  inbox: 'machines that asked for boot and are not known',
  boots: 'each boot of a machine, step by step',
  events: 'what happens, as it happens',
  problems: 'what is wrong, and how to mend it',
  services: 'HTTP, TFTP, FTP, NFS and DHCP',
  loaders: 'boot loaders, and which package has the missing ones',
  'dhcp-config': 'what another DHCP server must say, so that machines boot from here',
  session: 'signing in and out',
  accounts: 'people',
  tokens: 'programs',
  audit: 'who changed what',
  webhooks: 'who is told what happens',
  server: 'this server',
}

/** @param version Of treeboot. */
export function describeApi(routes: readonly Route[], version: string): ApiDescription {
  const registry = new OpenAPIRegistry()
  registry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description: 'a token: treeboot tokens add NAME',
  })
  registry.registerComponent('securitySchemes', 'session', {
    type: 'apiKey',
    in: 'cookie',
    name: 'treeboot-session',
    description: 'the cookie of a person who signed in; changes need the header X-CSRF-Token, too',
  })
  for (const each of routes) for (const path of pathsOf(each)) register(registry, each, path)
  const used = new Set(
    routes.filter(({ operation }) => operation !== undefined).map(({ path }) => tagOf(path)),
  )
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: { ...info, version },
    servers: [{ url: '/', description: 'this server' }],
    tags: Object.entries(tagTexts)
      .filter(([name]) => used.has(name))
      .map(([name, description]) => ({ name, description })),
  }) as unknown as ApiDescription
}

/**
 * The paths of a row as OpenAPI writes them. An optional last segment (`{/:token}`) makes two; the operation of the
 * longer one has another name.
 */
function pathsOf({ path, operation }: Route): readonly { path: string; operation: string }[] {
  if (operation === undefined) return []
  const written = (each: string): string => each.replace(/[:*](\w+)/g, '{$1}')
  const [, start = '', optional, rest = ''] = /^([^{]*)\{([^}]*)\}(.*)$/.exec(path) ?? []
  if (optional === undefined) return [{ path: written(path), operation }]
  const last = /[:*](\w+)/.exec(optional)?.[1] ?? ''
  const longer = `${operation}With${last.charAt(0).toUpperCase()}${last.slice(1)}`
  return [
    { path: written(start + rest), operation },
    { path: written(start + optional + rest), operation: longer },
  ]
}

function register(
  registry: OpenAPIRegistry,
  route: Route,
  { path, operation }: { path: string; operation: string },
): void {
  const { method, summary = '', description, access, params, query, body } = route
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  const request = {
    ...(params && {
      params: z.object(Object.fromEntries(inPath.map((name) => [name, required(params, name)]))),
    }),
    ...(query && { query }),
    ...(body && { body: { content: contentOf(body, route.bodyTypes), required: !isOptional(body) } }),
    headers: headersOf(route),
  }
  registry.registerPath({
    method: method.toLowerCase() as Lowercase<Method> as RouteConfig['method'],
    path,
    operationId: operation,
    tags: [tagOf(path)],
    summary,
    ...(description !== undefined && { description }),
    security: access === 'everybody' ? [] : [{ token: [] }, { session: [] }],
    ...(access !== 'everybody' && {
      'x-role': access.role,
      ...(access.scope !== undefined && { 'x-scope': access.scope }),
    }),
    request,
    responses: { ...successes(route), ...failures(route) },
  })
}

/** In a path every parameter is needed, also one that only the longer path has. */
function required(params: z.ZodObject, name: string): z.ZodType {
  const schema = params.shape[name]
  return schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : (schema as z.ZodType)
}

function isOptional(body: z.ZodType): boolean {
  return body.safeParse(undefined).success
}

function contentOf(schema: z.ZodType, types: readonly string[] = ['application/json']) {
  return Object.fromEntries(
    types.map((type) => [type, { schema: type.includes('json') ? schema : z.string() }]),
  )
}

function headersOf({ makes, changes }: Route) {
  const key = z
    .string()
    .optional()
    .meta({ description: 'a second request with this key gets the first response' })
  const etag = z.string().meta({ description: 'the `ETag` of what is changed' })
  const absent = z.string().optional().meta({ description: '`*`: it is made, and must not be there' })
  return z.object({
    ...(makes && { 'Idempotency-Key': key }),
    ...(changes === true && { 'If-Match': etag }),
    ...(changes === 'or-makes' && { 'If-Match': etag.optional(), 'If-None-Match': absent }),
  })
}

function successes({ answers }: Route): RouteConfig['responses'] {
  return Object.fromEntries(
    Object.entries(answers)
      .filter(([status]) => Number(status) < 400)
      .map(([status, answer]) => [status, described(answer)]),
  )
}

function described({ schema, type, headers = {} }: Answer) {
  const content = (schema || type) && {
    ...(schema && { 'application/json': { schema } }),
    ...(type !== undefined && { [type]: { schema: z.string() } }),
  }
  const described = Object.entries(headers).map(
    ([name, description]) => [name, z.string().meta({ description })] as const,
  )
  return {
    description: content ? 'as asked' : 'done',
    ...(described.length > 0 && { headers: z.object(Object.fromEntries(described)) }),
    ...(content && { content }),
  }
}

/** What a route can fail with. Several kinds may have one status. */
function failures(route: Route): RouteConfig['responses'] {
  const kinds = kindsOf(route)
  const statuses = new Set(kinds.map((kind) => httpStatus[kind].api))
  const responses = [...statuses].map((status) => [
    status,
    {
      description: kinds
        .filter((kind) => httpStatus[kind].api === status)
        .map((kind) => `${kind}: ${problemTitles[kind]}`)
        .join('; '),
      content: { [problemType]: { schema: problem } },
    },
  ])
  return Object.fromEntries(responses)
}

export function kindsOf({
  access,
  params,
  query,
  body,
  changes,
  failures = [],
}: Route): readonly FailureKind[] {
  const kinds: readonly (FailureKind | false | undefined)[] = [
    // Names of the query and the body that nothing reads are refused.
    (access !== 'everybody' || params || query || body) && 'bad-request',
    body && 'too-large',
    body && 'wrong-type',
    params && 'not-found',
    access !== 'everybody' && 'unauthenticated',
    access !== 'everybody' && 'forbidden',
    access !== 'everybody' && 'misdirected',
    changes && 'precondition-required',
    changes && 'conflict',
    'too-many',
    'unavailable',
    ...failures,
  ]
  return failureKinds.filter((kind) => kinds.includes(kind))
}

/** `guests` for `/api/v1/guests/{name}/plan`. */
function tagOf(path: string): string {
  const [, word = ''] = /^\/api\/v1\/(\w[\w-]*)/.exec(path) ?? []
  return word in tagTexts ? word : 'server'
}
