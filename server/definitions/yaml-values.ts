import { Document, isScalar, type Node, Scalar, stringify, visit } from 'yaml'
import type { YamlMapping, YamlValue } from '../config/yaml.ts'

/** Whether two values are the same data. The order of keys does not count. */
export function sameYaml(a: YamlValue | undefined, b: YamlValue | undefined): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((each, i) => sameYaml(each, b[i]))
    )
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && sameYaml(a[key], b[key]))
  )
}

/** The text of a file; undefined when it is not UTF-8. */
export function textOf(bytes: Uint8Array | undefined): string | undefined {
  try {
    // With the mark at its beginning, if there is one: it is a part of what must stay.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Whether a value is a list or a mapping with something in it. */
export function isFilled(value: YamlValue): value is YamlValue[] | YamlMapping {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0
}

/** YAML 1.1 reads `yes` and `off` as booleans, and many tools still are of that version. */
const style = { lineWidth: 0, compat: 'yaml-1.1' } as const

/** Whether a text of several lines is written below `|`, or in double quotes on one line. */
export type LongTexts = 'below' | 'quoted'

/** A value in block style, on lines of its own. */
export function blockYaml(value: YamlValue, longTexts: LongTexts): string {
  const document = new Document(value, style)
  visit(document, {
    Scalar(_, scalar) {
      if (longTexts === 'quoted' && typeof scalar.value === 'string' && scalar.value.includes('\n'))
        scalar.type = Scalar.QUOTE_DOUBLE
    },
  })
  return document.toString({ ...style, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER })
}

export interface InlineOptions {
  /** Whether the value stands in `[...]` or `{...}`, where some characters need quotes. */
  readonly inFlow: boolean
  /** A text keeps the quotes of the value that it replaces. */
  readonly replaced?: Node
}

/** A value as YAML on one line. */
export function inlineYaml(value: YamlValue, options: InlineOptions): string {
  if (typeof value === 'string') return inlineText(value, options)
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return `[${value.map((each) => inlineYaml(each, { inFlow: true })).join(', ')}]`
  const pairs = Object.entries(value).map(
    ([key, each]) => `${inlineText(key, { inFlow: true })}: ${inlineYaml(each, { inFlow: true })}`,
  )
  return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`
}

function inlineText(text: string, { inFlow, replaced }: InlineOptions): string {
  const quotes = isScalar(replaced) ? replaced.type : undefined
  if (quotes === Scalar.QUOTE_SINGLE && /^[\x20-\x7e]*$/.test(text)) return `'${text.replaceAll("'", "''")}'`
  if (quotes === Scalar.QUOTE_DOUBLE || (inFlow && /[,[\]{}]/.test(text))) return JSON.stringify(text)
  const written = stringify(text, style).trimEnd()
  return /^[|>]|\n/.test(written) ? JSON.stringify(text) : written
}
