import { z } from 'zod'
import { starred } from '../core/access/starred.ts'
import { defined } from '../core/defined.ts'
import { Failure, type FailureDetail } from '../core/failure.ts'
import { isSecretName } from '../core/secret-words.ts'
import { nearestName } from '../core/select/nearest.ts'
import { formats } from '../render/render.ts'

export interface InputOptions {
  /** Default: `bad-request`. */
  readonly kind?: 'bad-request' | 'not-found'
  /** Which part of the request it is: `query`. */
  readonly of: 'path' | 'query' | 'body'
}

/** The most faults of one input that are told. */
const mostFaults = 20
/** The longest value that is repeated to the client. */
const longestFound = 60
const plainTypes: readonly string[] = ['string', 'number', 'boolean']

/**
 * Parses input with a schema. The message of a schema must continue a sentence that ends with "expected".
 *
 * @throws Failure which names each value that does not fit.
 */
export function readInput<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  { kind = 'bad-request', of }: InputOptions,
): z.output<Schema> {
  const read = schema.safeParse(value)
  if (read.success) return read.data
  const details = read.error.issues.slice(0, mostFaults).map((issue) => detailOf(issue, value, of))
  const message = details.map(({ field, found, expected }) => {
    const name = field.slice(of.length + 1)
    return `${found === undefined ? name || of : `${name}=${found}`}: expected ${expected}`
  })
  throw new Failure(kind, message.join('; '), { details })
}

/**
 * Refuses names that nobody reads. `?dryrun` in place of `?dry-run` would change what was only to be tried, and `scope` in
 * place of `scopes` would make a token that may do everything.
 *
 * @param value The query, or the body where that is an object.
 * @param known The names that are read. Undefined: any.
 * @throws Failure `bad-request` which names each.
 */
export function requireKnownNames(
  value: unknown,
  known: readonly string[] | undefined,
  of: 'query' | 'body',
): void {
  if (known === undefined || typeof value !== 'object' || value === null || Array.isArray(value)) return
  const unknown = Object.keys(value).filter((name) => !known.includes(name))
  if (unknown.length === 0) return
  const details = unknown.slice(0, mostFaults).map((name) => ({
    field: `${of}.${name.slice(0, longestFound)}`,
    found: 'a name that nothing here reads',
    expected: expectedName(name, known),
  }))
  const texts = details.map(({ field, expected }) => `${field} is not known here: expected ${expected}`)
  throw new Failure('bad-request', texts.join('; '), { details })
}

function expectedName(name: string, known: readonly string[]): string {
  if (known.length === 0) return 'nothing'
  const meant = nearestName(name, known)
  return meant === undefined ? `one of ${known.join(', ')}` : meant
}

function detailOf({ path, message }: z.core.$ZodIssue, input: unknown, of: string): FailureDetail {
  const value = path.reduce<unknown>((inner, key) => Object(inner)[key], input)
  // The response may be logged.
  const isSecret = path.some((key) => isSecretName(String(key)))
  const isPlain = [value].flat().every((each) => each === null || plainTypes.includes(typeof each))
  const found = isPlain && !isSecret ? String(starred(String(value))).slice(0, longestFound) : undefined
  return { field: [of, ...path].join('.'), ...defined({ found }), expected: message }
}

/** The segments that `*id` in a route matches, joined to one path. */
export const segments = z
  .union([z.array(z.string()).transform((parts) => parts.join('/')), z.string()])
  .meta({ type: 'string', description: 'may contain slashes' })

/**
 * `as=`: the format of a plan. An empty value counts as missing, so that scripts may pass an empty variable.
 */
export const format = z.preprocess(
  (value) => (value === '' ? undefined : value),
  z.enum(formats, `one of ${formats.join(', ')}`).default('json'),
)

/** `?dry-run`, `?dry-run=1` and the like mean yes; `?dry-run=false` and none mean no. */
export const flag = z
  .union([z.string(), z.array(z.string())])
  .optional()
  .transform((value) => value !== undefined && value !== 'false' && value !== '0')
  .meta({ type: 'boolean' })
