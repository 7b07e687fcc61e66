import { z } from 'zod'
import { Failure } from '../core/failure.ts'
import { formats } from '../render/render.ts'

/**
 * Parses input with a schema. The message of a schema must continue a sentence that ends with "expected".
 *
 * @throws Failure of the given kind, which names the first value that does not fit.
 */
export function readInput<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  kind: 'bad-request' | 'not-found',
): z.output<Schema> {
  const read = schema.safeParse(value)
  if (read.success) return read.data
  const [issue] = read.error.issues
  const where = issue?.path.join('.') ?? ''
  const found = issue?.path.reduce<unknown>((inner, key) => Object(inner)[key], value)
  throw new Failure(kind, `${where}=${String(found).slice(0, 60)}: expected ${issue?.message}`)
}

/** The segments that `*id` in a route matches, joined to one path. */
export const segments = z.array(z.string()).transform((parts) => parts.join('/'))

/**
 * `as=`: the format of a plan. An empty value counts as missing, so that scripts may pass an empty variable.
 */
export const format = z.preprocess(
  (value) => (value === '' ? undefined : value),
  z.enum(formats, `one of ${formats.join(', ')}`).default('json'),
)
