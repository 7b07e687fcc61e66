import { z } from 'zod'

/** Parts of schemas that several resources use. The messages continue a sentence that ends with "expected". */

export const text = z.string('a text')

/** A list, which the server never changes after it was made. */
export function listOf<Schema extends z.ZodType>(schema: Schema) {
  return z.array(schema).readonly()
}

export const time = z.iso.datetime().meta({ description: 'RFC 3339, in UTC' })

/** A page of a list: the form of every list of the API. */
export function pageOf<Schema extends z.ZodType>(item: Schema, id: string) {
  return z
    .object({
      items: listOf(item),
      total: z.int().meta({ description: 'how many there are in all pages, after the filters' }),
      next: text.nullable().meta({ description: '`cursor` of the next page; null at the end' }),
    })
    .meta({ id })
}

/** RFC 9457. Every response with a status of 400 or more has this form. */
export const problem = z
  .object({
    type: text.meta({ description: 'a URI reference that names the kind, and explains it' }),
    title: text.meta({ description: 'the kind, in words that never change' }),
    status: z.int(),
    detail: text.meta({ description: 'for people: what was found, what was expected, what to do' }),
    error: text.meta({ description: 'the kind, for programs: `not-found`' }),
    message: text.meta({ description: 'the same as `detail`' }),
    errors: listOf(
      z.object({
        field: text.meta({
          description: 'where it is: `query.limit`, `body.mac`, `guests.web01.mac`, `guests.d/web01.yaml:3`',
        }),
        where: text
          .optional()
          .meta({ description: 'the place of a key in its file: `guests.d/web01.yaml:3:6`' }),
        found: text.optional(),
        expected: text,
      }),
    )
      .optional()
      .meta({ description: 'each fault by itself' }),
  })
  .meta({ id: 'Problem' })

export type Problem = z.infer<typeof problem>
