import { z } from 'zod'
import { nearestName } from '../core/select/nearest.ts'

/** What the schemas of config.yaml are made of. Every `error` is the part of a message after "expected". */

/**
 * A mapping with only these keys. For unknown keys the error has one remedy per line, in the order of the
 * keys.
 *
 * @param elsewhere Keys of another section that people write here: `allow` is `imports.allow`.
 */
export function section<Shape extends z.ZodRawShape>(
  shape: Shape,
  elsewhere: Readonly<Record<string, string>> = {},
) {
  const known = Object.keys(shape)
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? (issue.keys as string[]).map((key) => unknownKeyRemedy(key, known, elsewhere[key])).join('\n')
        : `a mapping with ${known.join(', ')}`,
  })
}

/** A schema for exactly these keys: the compiler compares it with the table of services. */
export type SectionOf<Key extends string> = Readonly<Record<Key, z.ZodType>>

function unknownKeyRemedy(key: string, known: readonly string[], elsewhere?: string): string {
  if (elsewhere !== undefined) return `it is ${elsewhere}, of another section`
  if (key === '<<') return 'merge keys belong to YAML 1.1; use `inherits` of a profile instead'
  const nearest = nearestName(key, known)
  return nearest === undefined ? `known here: ${known.join(', ')}` : `did you mean '${nearest}'?`
}

/** Text of any kind. A plain number is taken as its text. */
export const text = (expected: string) =>
  z.union([z.string(), z.number()], { error: expected }).transform(String)

/** Text that is not blank and has no line break or other control character. */
export const line = (expected: string) =>
  text(expected).refine((value) => value.trim() !== '' && !hasControl(value), expected)

/** Text that `read` turns into its canonical form, or refuses by returning undefined. */
export const canonical = (read: (value: string) => string | undefined, expected: string) =>
  text(expected).transform((value, context) => {
    const found = read(value)
    if (found !== undefined) return found
    context.issues.push({ code: 'custom', message: expected, input: value })
    return z.NEVER
  })

/** A length of time as milliseconds, at most an hour unless said otherwise: `60s`, `2m`. */
export const time = (expected: string, { leastMs = 0, mostMs = 3_600_000 } = {}) =>
  text(expected).transform((value, context) => {
    const [, count = '', unit = ''] = /^(\d{1,4})\s*(s|m|h|d)$/.exec(value.trim()) ?? []
    const ms = Number(count) * (timeUnits[unit] ?? Number.NaN)
    if (ms >= leastMs && ms <= mostMs) return ms
    context.issues.push({ code: 'custom', message: expected, input: value })
    return z.NEVER
  })
const timeUnits: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** How long something is kept, from an hour to ten years, as milliseconds: `36h`, `90d`. */
export const age = (expected: string) =>
  text(expected).transform((value, context) => {
    const [, count = '', unit = ''] = /^(\d{1,5})\s*(h|d)$/.exec(value.trim()) ?? []
    const ms = Number(count) * (unit === 'd' ? 24 : 1) * 3_600_000
    if (unit !== '' && ms > 0 && ms <= 3650 * 86_400_000) return ms
    context.issues.push({ code: 'custom', message: expected, input: value })
    return z.NEVER
  })

export const flag = z.boolean('true or false')
export const count = (least: number, expected: string) => z.int(expected).min(least, expected)
export const oneOf = <const Values extends readonly string[]>(values: Values) =>
  z.enum(values, `one of ${values.join(', ')}`)
export const oneOrMore = <T extends z.ZodType>(item: T, expected: string, most = Number.POSITIVE_INFINITY) =>
  z.union([item.transform((value) => [value]), z.array(item).max(most, expected)], { error: expected })

function hasControl(value: string): boolean {
  return /[\u0000-\u001f\u007f]/.test(value)
}
