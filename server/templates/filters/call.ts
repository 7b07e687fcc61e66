import { siteMark } from '../strict.ts'
import type { Data, Filter, FilterCall } from './filter.ts'

/**
 * Converts the arguments that the engine gives to a filter. The engine passes named arguments as one Map,
 * after the positional ones.
 */
export function callOf(filter: Filter, raw: readonly unknown[], seed: string): FilterCall {
  const [value, ...rest] = raw
  const args = isMark(rest[0]) ? rest.slice(1) : rest
  const last = args.at(-1)
  const named =
    last instanceof Map && last.size > 0 && [...last.keys()].every((key) => filter.options?.includes(key))
  return {
    value: toData(value),
    args: (named ? args.slice(0, -1) : args).map(toData),
    options: named ? Object.fromEntries([...last].map(([key, each]) => [key, toData(each)])) : {},
    seed,
  }
}

/** The index of the site of a call. Undefined for a call by `map('filter')`, which gets no mark. */
export function siteOf(raw: readonly unknown[]): number | undefined {
  return isMark(raw[1]) ? Number(raw[1].slice(siteMark.length)) : undefined
}

function isMark(value: unknown): value is string {
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
