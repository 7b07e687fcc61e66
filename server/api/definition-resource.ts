import { z } from 'zod'
import { type DefinitionKind, definitionKinds } from '../config/definition-files.ts'
import type { YamlMapping } from '../config/yaml.ts'
import { type Need, whyNotAllowed } from '../core/access/access.ts'
import type { Done } from '../core/access/audit.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import { requestLimits } from '../core/limits/requests.ts'
import type { Definition, Definitions, SetChange } from '../definitions/definitions.ts'
import { starredData } from '../definitions/shown-difference.ts'
import { actorOf } from './actor.ts'
import type { ApiContext } from './context.ts'
import { changeView, othersView } from './definition-views.ts'
import { flag, segments } from './input.ts'
import type { Reply } from './reply.ts'
import type { Call } from './route.ts'
import type { setChange } from './schemas/definitions.ts'

/** One kind of definitions, and who may do what with it. */
export interface DefinitionResource<
  Word extends string = string,
  More extends z.ZodRawShape = z.ZodRawShape,
> {
  readonly kind: DefinitionKind
  readonly reads: Need
  readonly writes: Need
  /** The word in names of operations: `Guest`. */
  readonly word: Word
  /** What is done before a definition is made, in the order of the body. */
  readonly before?: (name: string, body: NewDefinition, context: ApiContext) => Promise<void>
  /**
   * What is done before a definition gets another name, when nothing else speaks against it. Resolves to what its caller
   * is to be told. Absent for a kind whose names cannot change.
   */
  readonly beforeRename?: (name: string, newName: string, context: ApiContext) => Promise<string | undefined>
  /** More keys of the body that makes one. */
  readonly more?: More
  /** What a change needs beside `writes`. */
  readonly alsoNeeds?: (wanted: WantedChange, context: ApiContext) => Need | undefined
  /** Others name definitions of this kind: another one can take the place of one that goes. */
  readonly isNamed?: true
}

/** A definition as it is and as it is to be. Without `before` it is made, with the body `made`. */
export interface WantedChange {
  readonly name: string
  readonly before?: YamlMapping | undefined
  /** Undefined for a text that is no mapping, which nobody will use. */
  readonly after?: YamlMapping | undefined
  readonly made?: NewDefinition
}

export interface NewDefinition {
  readonly name: string
  readonly definition: YamlMapping
  readonly [more: string]: unknown
}

export const dryRun = {
  'dry-run': flag.meta({ type: 'boolean', description: 'check the change, and make none' }),
}
export const definitionBytes = requestLimits.definitionBody.bytes
export const etagHeader = { ETag: 'the entity tag of the file, for `If-Match`' }

export function pathsOf(kind: DefinitionKind) {
  const { section, deep } = definitionKinds[kind]
  const plural = `/api/v1/${section}`
  // The id of a mirror is a path.
  const one = `${plural}/${deep ? '*' : ':'}name`
  return { plural, one, params: z.object({ name: deep ? segments : z.string() }) }
}

/** The path of a definition, for `Location`. */
export function locationOf(kind: DefinitionKind, name: string): string {
  return `${pathsOf(kind).plural}/${name.split('/').map(encodeURIComponent).join('/')}/definition`
}

/** A definition that a request is about. */
export interface Target {
  readonly kind: DefinitionKind
  readonly name: string
  readonly call: Call
}

/** @throws Failure `precondition-required` without `If-Match`, `forbidden` for what may not be changed here. */
export async function expectedState(
  { kind, name, call }: Target,
  definitions: Definitions,
): Promise<{ present: Definition; expected: string }> {
  const present = await definitions.read(kind, name)
  return { present, expected: expectedTag(present, call) }
}

/** The entity tag of what the request changes, see `expectedState`. */
export function expectedTag(
  { readOnly, etag }: Pick<Definition, 'readOnly' | 'etag'>,
  { req }: Pick<Call, 'req'>,
): string {
  if (readOnly !== undefined) throw new Failure('forbidden', readOnly)
  const tag = req.headers['if-match']
  if (tag === undefined)
    throw new Failure(
      'precondition-required',
      `send If-Match with the ETag of what you change; it is ${etag} now`,
    )
  // A list of tags, or `*` (RFC 9110, 13.1.1). What was read a moment ago is compared again under the lock.
  const tags = tag.split(',').map((each) => each.trim())
  const [first = ''] = tags
  return etag !== undefined && (first === '*' || tags.includes(etag)) ? etag : first.replace(/^\*$/, '')
}

/** @throws Failure `forbidden` when the caller may not make this change. */
export function requireAlso(
  wanted: WantedChange,
  { resource, call }: { readonly resource: DefinitionResource; readonly call: Pick<Call, 'caller'> },
  context: ApiContext,
): void {
  const need = resource.alsoNeeds?.(wanted, context)
  const why = need && call.caller && whyNotAllowed(call.caller, need)
  if (why !== undefined)
    throw new Failure('forbidden', `${why}, because this orders an installation (${wanted.name})`)
}

/** A change that was made: of one definition, or of all that name it, too. */
export type MadeChange = Omit<SetChange, 'others'> & Partial<Pick<SetChange, 'others'>>

/** What the audit says of a change instead of its texts; `action` is a verb. */
export type Deed = Omit<Done, 'target'>

/** Writes the change down, and waits until the server uses it. */
export async function inForce(
  { kind, name, call }: Target,
  changed: MadeChange,
  { catalog, accounts }: ApiContext,
  deed?: Deed,
): Promise<Reply<z.input<typeof setChange>>> {
  const { before, after, etag, others = [] } = changed
  if (before !== after) {
    const done = deed ?? { action: deedOf(changed), before: starredData(before), after: starredData(after) }
    const action = `${definitionKinds[kind].section}.${done.action}`
    // In force first: when the audit cannot be written, the server must not go on with what is no more.
    await catalog.readConfig()
    await accounts.audit.write(actorOf(call), { ...defined({ ...done }), action, target: name })
  }
  return {
    json: { ...changeView(name, changed, false), others: othersView(others) },
    headers: defined({ ETag: etag }),
  }
}

function deedOf({ before, after }: MadeChange): 'create' | 'change' | 'remove' {
  if (before === undefined) return 'create'
  return after === undefined ? 'remove' : 'change'
}
