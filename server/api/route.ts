import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import type { Caller, Need, Role, Scope } from '../core/access/access.ts'
import type { FailureKind } from '../core/failure.ts'
import type { Requester } from '../core/net/requester.ts'
import type { ApiContext } from './context.ts'
import { readInput, requireKnownNames } from './input.ts'
import type { Reply } from './reply.ts'

/** One request, with parameters, query and body as the schemas of its route parsed them. */
export interface Call<Params = unknown, Query = unknown, Body = unknown> {
  readonly params: Params
  readonly query: Query
  readonly body: Body
  /** The client, as the HTTP listener recognised it. */
  readonly who: Requester
  /** Who sent it; undefined for somebody without credentials, on a path that is open to everybody. */
  readonly caller: Caller | undefined
  /** The address of the client; behind a proxy that we trust the one that it names. */
  readonly from: string
  /** To be called by a handler that sends for long: what else this client asks for then need not wait for it. */
  readonly onSending: () => void
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

/** A request before the schemas of its route parse it. */
export interface RawCall extends Call {}

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'

/** One successful response of a route, as it is described. */
export interface Answer<Schema extends z.ZodType = z.ZodType> {
  /** Of the JSON body. Without schema and `type` there is no body. */
  readonly schema?: Schema
  /** The media type of a body that is not JSON; beside `schema`, of another form that can be asked for. */
  readonly type?: string
  /** Header -> what it says. */
  readonly headers?: Readonly<Record<string, string>>
}

export type Answers = Readonly<Record<number, Answer>>

export interface JsonAnswer<Schema extends z.ZodType> extends Answer<Schema> {
  readonly schema: Schema
}

/** An answer with this JSON. */
export function json<Schema extends z.ZodType>(
  schema: Schema,
  headers: Readonly<Record<string, string>> = {},
): JsonAnswer<Schema> {
  return { schema, headers }
}

interface RouteFacts {
  readonly method: Method
  /** As Express writes it: `:name` is one segment, `*path` one or more, `{...}` is optional. */
  readonly path: string
  /**
   * The name of the operation in the description of the API, and of the function in clients that are made from it.
   * Without it the route is not described: it is a page, or a part of another protocol (tus).
   */
  readonly operation?: string
  /** One line for people. */
  readonly summary?: string
  /** More for people, where one line does not say it. */
  readonly description?: string
  /** `everybody`: without credentials, see `core/access/anonymous.ts`. */
  readonly access: 'everybody' | Need
  /** Clients that need no credentials all the same. */
  readonly openTo?: (from: string, context: ApiContext) => boolean
  /** What it fails with, beside what input, access and the server's state make of every route of its kind. */
  readonly failures?: readonly FailureKind[]
  /**
   * The handler reads states of guests: before it runs, changes that other processes wrote to the store are
   * read.
   */
  readonly readsGuests?: true
  /** The media types of the body. Default: `application/json`. */
  readonly bodyTypes?: readonly string[]
  /** The most bytes of the body. Default: `requestLimits.jsonBody`. */
  readonly bodyBytes?: number
  /**
   * It changes what has an entity tag, and needs `If-Match`. `or-makes`: it also makes what is not there, with
   * `If-None-Match: *`.
   */
  readonly changes?: true | 'or-makes'
  /** It makes something: a second request with the same `Idempotency-Key` gets the first response again. */
  readonly makes?: true
}

/** One row of the route table, without the types of its input. */
export interface Route extends RouteFacts {
  readonly params?: z.ZodObject | undefined
  readonly query?: z.ZodObject | undefined
  readonly body?: z.ZodType | undefined
  readonly answers: Answers
  readonly respond: (call: RawCall, context: ApiContext) => Promise<Reply>
}

/** A row with the types of its input and answers, for clients that are made from the table: see `operations.ts`. */
export interface TypedRoute<Types> extends Route {
  /** Only for the compiler: never there when the program runs. */
  readonly types?: Types
}

/** What `TypedRoute` knows of a row. A part that the row does not have is undefined. */
export interface RouteTypes {
  readonly operation: string | undefined
  readonly params: z.ZodObject | undefined
  readonly query: z.ZodObject | undefined
  readonly body: z.ZodType | undefined
  readonly answers: Answers
}

interface RouteSpec<
  Operation extends string | undefined,
  Params extends z.ZodObject | undefined,
  Query extends z.ZodObject | undefined,
  Body extends z.ZodType | undefined,
  Given extends Answers,
> extends Omit<RouteFacts, 'operation'> {
  readonly operation?: Operation
  readonly params?: Params
  readonly query?: Query
  readonly body?: Body
  readonly answers: Given
  readonly handle: (
    call: Call<OutputOf<Params>, OutputOf<Query>, OutputOf<Body>>,
    context: ApiContext,
  ) => Reply<JsonOf<Given>> | Promise<Reply<JsonOf<Given>>>
}

type OutputOf<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined
/** What the JSON of a reply may be: the input of one of the schemas. */
type JsonOf<Given extends Answers> = {
  [Status in keyof Given]: Given[Status] extends Answer<infer Schema> ? z.input<Schema> : never
}[keyof Given]

/**
 * Makes a row of the route table. Its handler gets parameters, query and body as their schemas parsed them,
 * and undefined where the row has no schema.
 */
export function route<
  const Given extends Answers,
  const Operation extends string | undefined = undefined,
  Params extends z.ZodObject | undefined = undefined,
  Query extends z.ZodObject | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>({
  handle,
  operation,
  ...facts
}: RouteSpec<Operation, Params, Query, Body, Given>): TypedRoute<{
  readonly operation: Operation
  readonly params: Params
  readonly query: Query
  readonly body: Body
  readonly answers: Given
}> {
  const { params, query, body } = facts
  return {
    ...facts,
    ...(operation !== undefined && { operation }),
    async respond(call, context) {
      // Installers, boot loaders and proxies add what they like.
      if (facts.access !== 'everybody') {
        requireKnownNames(call.query, Object.keys(query?.shape ?? {}), 'query')
        requireKnownNames(call.body, namesIn(body), 'body')
      }
      const input = {
        // A path with parameters that do not fit the schema does not exist.
        params: (params &&
          readInput(params, call.params, { kind: 'not-found', of: 'path' })) as OutputOf<Params>,
        query: (query && readInput(query, call.query, { of: 'query' })) as OutputOf<Query>,
        body: (body && readInput(body, call.body, { of: 'body' })) as OutputOf<Body>,
      }
      return handle({ ...call, ...input }, context)
    },
  }
}

/** The names in an object of this schema; undefined for one that may have any. */
function namesIn(schema: z.ZodType | undefined): readonly string[] | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodCatch)
    return namesIn(schema.unwrap() as z.ZodType)
  if (schema instanceof z.ZodUnion) {
    const options = schema.options.map((option) => namesIn(option as z.ZodType))
    return options.includes(undefined) ? undefined : options.flatMap((names) => names ?? [])
  }
  return schema instanceof z.ZodObject && !schema.def.catchall ? Object.keys(schema.shape) : undefined
}

/** Needs this role, and of a token that is narrowed this scope. */
export function needs(role: Role, scope?: Scope): Need {
  return scope === undefined ? { role } : { role, scope }
}
