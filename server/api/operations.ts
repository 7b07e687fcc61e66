import type { z } from 'zod'
import type { accountRoutes, auditRoutes, tokenRoutes } from './resources/accounts.ts'
import type { bootRoutes } from './resources/boots.ts'
import type { eventRoutes } from './resources/events.ts'
import type { guestBootRoutes } from './resources/guest-boots.ts'
import type { guestFileRoutes } from './resources/guest-files.ts'
import type { guestTryRoutes } from './resources/guest-tries.ts'
import type { guestRoutes } from './resources/guests.ts'
import type { jobRoutes } from './resources/jobs.ts'
import type { loaderRoutes } from './resources/loaders.ts'
import type { lookupRoutes } from './resources/lookup.ts'
import type { mirrorRoutes, profileRoutes } from './resources/profiles.ts'
import type { serverRoutes } from './resources/server.ts'
import type { sessionRoutes } from './resources/session.ts'
import type { templateRoutes } from './resources/templates.ts'
import type { treeVersionRoutes } from './resources/tree-versions.ts'
import type { treeRoutes } from './resources/trees.ts'
import type { unknownMachineRoutes } from './resources/unknown-machines.ts'
import type { uploadRoutes } from './resources/uploads.ts'
import type { Answers, JsonAnswer, RouteTypes, TypedRoute } from './route.ts'

/** The operations of the API with the types of their input and answers, as the rows of the route table have them. */

type Rows = (
  | typeof serverRoutes
  | typeof lookupRoutes
  | typeof treeRoutes
  | typeof guestRoutes
  | typeof bootRoutes
  | typeof eventRoutes
  | typeof guestBootRoutes
  | typeof guestFileRoutes
  | typeof guestTryRoutes
  | typeof templateRoutes
  | typeof treeVersionRoutes
  | typeof jobRoutes
  | typeof loaderRoutes
  | typeof profileRoutes
  | typeof mirrorRoutes
  | typeof unknownMachineRoutes
  | typeof sessionRoutes
  | typeof accountRoutes
  | typeof tokenRoutes
  | typeof auditRoutes
  | typeof uploadRoutes
)[number]

type TypesOf<Row> = Row extends TypedRoute<infer Types extends RouteTypes> ? Types : never
type AllTypes = TypesOf<Rows>

/** By the name of the operation. */
type Operations = {
  [Types in AllTypes as Types['operation'] extends string ? Types['operation'] : never]: Types
}

export type OperationName = keyof Operations & string

type InputOf<Schema> = Schema extends z.ZodType ? z.input<Schema> : never
/** A value that the server makes of any text may be sent as a number or a word. */
type Sent<Value> = unknown extends Value ? string | number | boolean : Value
type QueryOf<Query> = { readonly [Key in keyof InputOf<Query>]?: Sent<InputOf<Query>[Key]> }

/** What a client sends. */
export type OperationInput<Name extends OperationName> = Part<'params', InputOf<Operations[Name]['params']>> &
  Part<'body', InputOf<Operations[Name]['body']>> & {
    readonly query?: Operations[Name]['query'] extends z.ZodType ? QueryOf<Operations[Name]['query']> : never
    /** The entity tag of what is changed. */
    readonly ifMatch?: string
    /** `*`: it must not be there yet. */
    readonly ifNoneMatch?: string
  }

type Part<Key extends string, Value> = [Value] extends [never]
  ? object
  : undefined extends Value
    ? { readonly [each in Key]?: Value }
    : { readonly [each in Key]: Value }

/** The JSON that a client gets; a text where the answer has another type, undefined where it has no body. */
export type OperationAnswer<Name extends OperationName> = AnswerOf<Operations[Name]['answers']>

type AnswerOf<Given extends Answers> = {
  [Status in keyof Given]: Given[Status] extends JsonAnswer<infer Schema>
    ? z.output<Schema>
    : Given[Status] extends { readonly type: string }
      ? string
      : undefined
}[keyof Given]

/** Operations whose answer is a page of a list. */
export type ListName = {
  [Name in OperationName]: OperationAnswer<Name> extends { readonly items: readonly unknown[] } ? Name : never
}[OperationName]

export type ListItem<Name extends ListName> =
  OperationAnswer<Name> extends { readonly items: readonly (infer Item)[] } ? Item : never
