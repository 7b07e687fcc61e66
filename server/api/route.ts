import type { IncomingMessage, ServerResponse } from 'node:http'
import type { z } from 'zod'
import type { Snapshot } from '../catalog/snapshot.ts'
import type { BootInputs } from '../core/boot/plan-boot.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { Requester } from '../core/net/requester.ts'
import type { EventSink } from '../events/bus.ts'
import type { Metrics } from '../events/metrics.ts'
import type { FileSource } from '../files/source.ts'
import type { Uploads } from '../intake/uploads/uploads.ts'
import { bootInputs } from '../machines/decide.ts'
import type { Machines } from '../machines/machines.ts'
import type { Answers } from '../namespace/answers.ts'
import type { GuestChecks } from '../namespace/guest-checks.ts'
import type { GuestSummaries } from './guest-summaries.ts'
import type { ServerHealth } from './health.ts'
import { readInput } from './input.ts'
import type { LookupResponses } from './lookup-responses.ts'

/** The parts of the server that route handlers use. */
export interface ApiContext {
  readonly version: string
  readonly snapshot: () => Snapshot
  readonly services: () => OpenServices
  readonly serviceLines: () => readonly ShownService[]
  readonly events: EventSink
  readonly metrics: Metrics
  readonly machines: Machines
  /** The whole namespace. */
  readonly source: FileSource
  readonly answers: Answers
  readonly guestChecks: GuestChecks
  readonly health: ServerHealth
  readonly lookupCache: LookupResponses
  readonly guestSummaries: GuestSummaries
  readonly uploads: Uploads
  readonly isAdmin: (token: string) => boolean
}

/** One service as the front page shows it: a `ServiceLine` of `protocols`, which this room may not import. */
export interface ShownService {
  readonly name: string
  readonly open: boolean
  readonly host?: string
  readonly port?: number
  /** Why the service is closed or on an unusual port, and what its clients need to know; '' when nothing. */
  readonly note: string
}

/** A handler's response, which the router sends. Without `json` and `text` it has no body. */
export interface Reply {
  /** Default: 200. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly text?: string
}

/** One request, with parameters, query and body as the schemas of its route parsed them. */
export interface Call<Params, Query, Body> {
  readonly params: Params
  readonly query: Query
  readonly body: Body
  /** The client, as the HTTP listener recognised it. */
  readonly who: Requester
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

/** A request before the schemas of its route parse it. */
export interface RawCall extends Call<unknown, unknown, unknown> {}

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'

interface RouteFacts {
  readonly method: Method
  /** As Express writes it: `:name` is one segment, `*path` one or more, `{...}` is optional. */
  readonly path: string
  /** One line for people. Without it `GET /api/v1` does not list the route. */
  readonly summary?: string
  readonly access: 'anyone' | 'administrator'
  /**
   * A refused request gets 401 with `WWW-Authenticate`, which curl and browsers need. Without this key it gets
   * 403, so that no browser opens a password dialog.
   */
  readonly challenge?: true
  /**
   * The handler reads states of guests: before it runs, changes that other processes wrote to the store are
   * read.
   */
  readonly readsGuests?: true
}

/** One row of the route table, without the types of its input. */
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
 * Makes a row of the route table. Its handler gets parameters, query and body as their schemas parsed them,
 * and undefined where the row has no schema.
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
        // A path with parameters that do not fit the schema does not exist.
        params: (params && readInput(params, call.params, 'not-found')) as OutputOf<Params>,
        query: (query && readInput(query, call.query, 'bad-request')) as OutputOf<Query>,
        body: (body && readInput(body, call.body, 'bad-request')) as OutputOf<Body>,
      }
      return handle({ ...call, ...input }, context)
    },
  }
}

/** The inputs of a boot decision for the client of this request. */
export function inputsFor({ snapshot, services, machines }: ApiContext, who: Requester): BootInputs {
  return bootInputs({ snapshot: snapshot(), services: services(), who, machines })
}

/** The same for one guest, whose answer file is tried out: without one it is not sent into an installer. */
export function inputsForGuest(context: ApiContext, who: Requester, guest: Guest): Promise<BootInputs> {
  return context.answers.inputsFor(inputsFor(context, who), { guest, who, snapshot: context.snapshot() })
}
