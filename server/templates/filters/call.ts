import { siteMark } from '../strict.ts'
import type { Data, Filter, FilterCall } from './filter.ts'

/**
 * Converts the arguments that the engine gives to a filter. The engine passes named arguments as one Map,
 * after the positional ones. The hidden first argument that strict.ts adds to each call, the mark of its
 * site, is dropped.
 *
 * @param seed What the salts of this rendering are computed from, see engine.ts.
 */
export function callOf(filter: Filter, raw: readonly unknown[], seed: string): FilterCall {
  const [value, ...rest] = raw
  const args = isSiteMark(rest[0]) ? rest.slice(1) : rest
  const last = args.at(-1)
  // A mapping as the last positional argument is a Map as well; its keys are not all names of options.
  const named =
    last instanceof Map && last.size > 0 && [...last.keys()].every((key) => filter.options?.includes(key))
  return {
    value: toData(value),
    args: (named ? args.slice(0, -1) : args).map(toData),
    options: named ? Object.fromEntries([...last].map(([key, each]) => [key, toData(each)])) : {},
    seed,
  }
}

/**
 * The number of the call's site (see strict.ts), from the mark in its hidden first argument. Undefined for a
 * call by `map('filter')`, to which strict.ts adds no mark.
 */
export function siteOf(raw: readonly unknown[]): number | undefined {
  return isSiteMark(raw[1]) ? Number(raw[1].slice(siteMark.length)) : undefined
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
