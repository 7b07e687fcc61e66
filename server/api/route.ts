import type { IncomingMessage, ServerResponse } from 'node:http'
import type { z } from 'zod'
import type { Snapshot } from '../catalog/snapshot.ts'
import type { BootInputs } from '../core/boot/plan-boot.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import type { Requester } from '../core/net/requester.ts'
import type { EventSink } from '../events/bus.ts'
import type { Metrics } from '../events/metrics.ts'
import type { Uploads } from '../intake/uploads/uploads.ts'
import { bootInputs } from '../machines/decide.ts'
import type { Machines } from '../machines/machines.ts'
import { readInput } from './input.ts'
import type { LookupResponses } from './lookup-responses.ts'

/** What the handlers of all routes work with. */
export interface ApiContext {
  readonly version: string
  readonly snapshot: () => Snapshot
  readonly services: () => OpenServices
  readonly serviceLines: () => readonly ShownService[]
  readonly events: EventSink
  readonly metrics: Metrics
  readonly machines: Machines
  readonly lookups: LookupResponses
  readonly uploads: Uploads
  readonly isAdmin: (token: string) => boolean
}

/** One service as the front page shows it. */
export interface ShownService {
  readonly name: string
  readonly open: boolean
  readonly host?: string
  readonly port?: number
  readonly note: string
}

/** What a handler decides; the router sends it. Without `json` and `text` the response has no body. */
export interface Reply {
  /** 200 unless it says otherwise. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly text?: string
}

/** One request, read by the schemas of its route. */
export interface Call<Params, Query, Body> {
  readonly params: Params
  readonly query: Query
  readonly body: Body
  /** Who asks, as the HTTP listener recognised it. */
  readonly who: Requester
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

/** A request before its schemas read it. */
export interface RawCall extends Call<unknown, unknown, unknown> {}

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'

interface RouteFacts {
  readonly method: Method
  /** As Express writes it: `:name` is one segment, `*path` one or more, `{...}` is optional. */
  readonly path: string
  /** One line for people. Without it `GET /api/v1` does not list the route. */
  readonly summary?: string
  readonly access: 'anyone' | 'administrator'
  /** A refused request gets 401 with `WWW-Authenticate`, as curl and browsers want it; otherwise 403. */
  readonly challenge?: true
  /** Reads what happened to guests: what other processes wrote to the store is taken over first. */
  readonly readsGuests?: true
}

/** One row of the route table, whatever the types of its input. */
export interface Route extends RouteFacts {
  readonly params?: z.ZodObject | undefined
  readonly query?: z.ZodObject | undefined
  readonly body?: z.ZodType | undefined
  readonly respond: (call: RawCall, context: ApiContext) => Promise<Reply>
}

interface RouteSpec<
  Params extends z.ZodObject | undefined,
  Query extends z.ZodObject | undefined,
  Body extends z.ZodType | undefined,
> extends RouteFacts {
  readonly params?: Params
  readonly query?: Query
  readonly body?: Body
  readonly handle: (
    call: Call<OutputOf<Params>, OutputOf<Query>, OutputOf<Body>>,
    context: ApiContext,
  ) => Reply | Promise<Reply>
}

type OutputOf<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined

/**
 * A row of the table: its handler gets what the schemas made of the request. A schema that is missing gives
 * undefined.
 */
export function route<
  Params extends z.ZodObject | undefined = undefined,
  Query extends z.ZodObject | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>({ handle, ...facts }: RouteSpec<Params, Query, Body>): Route {
  const { params, query, body } = facts
  return {
    ...facts,
    async respond(call, context) {
      const input = {
        // A path that does not fit its schema is a path that we do not have.
        params: (params && readInput(params, call.params, 'not-found')) as OutputOf<Params>,
        query: (query && readInput(query, call.query, 'bad-request')) as OutputOf<Query>,
        body: (body && readInput(body, call.body, 'bad-request')) as OutputOf<Body>,
      }
      return handle({ ...call, ...input }, context)
    },
  }
}

/** What decisions for the client of this request rest on. */
export function inputsFor({ snapshot, services, machines }: ApiContext, who: Requester): BootInputs {
  return bootInputs({ snapshot: snapshot(), services: services(), who, machines })
}
