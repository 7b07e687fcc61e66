import { z } from 'zod'
import { Failure } from '../core/failure.ts'
import { formats } from '../render/render.ts'

/**
 * Reads input with a schema. The messages of our schemas are the half sentence after "expected".
 *
 * @throws Failure of this kind, naming the first value that does not fit.
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

/** Segments of a path (`*id` in a route), joined again. */
export const segments = z.array(z.string()).transform((parts) => parts.join('/'))

/** `as=`: the format of a plan. An empty value counts as missing, so that scripts may pass what they have. */
export const format = z.preprocess(
  (value) => (value === '' ? undefined : value),
  z.enum(formats, `one of ${formats.join(', ')}`).default('json'),
)
