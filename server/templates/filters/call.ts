import { namesMark, siteMark } from '../strict.ts'
import type { Data, Filter, FilterCall } from './filter.ts'

/** What all calls of one rendering have in common. */
export interface RenderingFacts {
  /** What the salts of this rendering are computed from, see engine.ts. */
  readonly seed: string
  readonly deadlineMs: number
}

/**
 * Converts the arguments that the engine gives to a filter. The engine passes named arguments as one Map,
 * after the positional ones. The hidden first argument that strict.ts adds to each call, the mark of its
 * site, is dropped. It says whether there are named arguments: a mapping as the last positional argument is a
 * Map as well.
 */
export function callOf(filter: Filter, raw: readonly unknown[], facts: RenderingFacts): FilterCall {
  const [value, ...rest] = raw
  const mark = rest[0]
  const args = isSiteMark(mark) ? rest.slice(1) : rest
  const last = args.at(-1)
  const { params = [] } = filter
  const isNamed = isSiteMark(mark) && mark.endsWith(namesMark)
  const named = isNamed && last instanceof Map ? last : new Map<string, unknown>()
  const positional: Data[] = (named.size > 0 ? args.slice(0, -1) : args).map(toData)
  for (const [key, each] of named) {
    const at = params.indexOf(key)
    if (at >= 0) positional[at] = toData(each)
  }
  return {
    value: toData(value),
    // A gap before a named argument counts as none.
    args: Array.from(positional, (each) => each ?? null),
    options: Object.fromEntries(
      [...named].filter(([key]) => !params.includes(key)).map(([key, each]) => [key, toData(each)]),
    ),
    ...facts,
  }
}

/**
 * The number of the call's site (see strict.ts), from the mark in its hidden first argument. Undefined for a
 * call by `map('filter')`, to which strict.ts adds no mark.
 */
export function siteOf(raw: readonly unknown[]): number | undefined {
  return isSiteMark(raw[1]) ? Number.parseInt(raw[1].slice(siteMark.length), 10) : undefined
}

function isSiteMark(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith(siteMark)
}

/** Converts a value of the engine, which passes mappings as Map, and none as undefined. */
function toData(value: unknown): Data {
  if (value === undefined || value === null) return null
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(toData)
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, each]) => [String(key), toData(each)]))
  if (value instanceof Uint8Array) return Buffer.from(value).toString()
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, toData(each)]))
}
