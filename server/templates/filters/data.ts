import { parse, stringify } from 'yaml'
import { asList, asMap, asText, type Data, type Filter, isMap } from './filter.ts'

/** The engine passes maps sorted by key, so JSON and YAML are the same bytes in each rendering. */
const json = (value: Data, indent?: number): string => JSON.stringify(value, undefined, indent)

/**
 * `combine` of Ansible: later values override earlier ones. Nested mappings are merged only with `recursive`.
 */
function combine(first: Data, others: readonly Data[], recursive: boolean): Data {
  let result = asMap(first)
  for (const other of others.flat()) {
    const merged = new Map(Object.entries(result))
    for (const [key, value] of Object.entries(asMap(other))) {
      const old = merged.get(key)
      merged.set(key, recursive && isMap(old) && isMap(value) ? combine(old, [value], true) : value)
    }
    result = Object.fromEntries(merged)
  }
  return result
}

/** Ansible flattens every level unless the template names a number. */
const allLevels = 100

function flatten(list: readonly Data[], levels: number): readonly Data[] {
  return list.flatMap((each) => (Array.isArray(each) && levels > 0 ? flatten(each, levels - 1) : [each]))
}

const has = (list: readonly Data[], value: Data): boolean => list.some((each) => json(each) === json(value))

function unique(list: readonly Data[]): readonly Data[] {
  return [...new Map(list.map((each) => [json(each), each])).values()]
}

export const dataFilters: Readonly<Record<string, Filter>> = {
  to_json: { run: (call) => json(call.value) },
  to_nice_json: { options: ['indent'], run: (call) => json(call.value, Number(call.options.indent ?? 4)) },
  from_json: { run: (call) => JSON.parse(asText(call.value)) },
  to_yaml: {
    options: ['indent'],
    run: (call) => stringify(call.value, { lineWidth: 0, indent: Number(call.options.indent ?? 2) }),
  },
  to_nice_yaml: {
    options: ['indent'],
    run: (call) => stringify(call.value, { lineWidth: 0, indent: Number(call.options.indent ?? 4) }),
  },
  // `maxAliasCount` prevents that a few lines of aliases grow to gigabytes.
  from_yaml: { run: (call) => parse(asText(call.value), { maxAliasCount: 100 }) },
  combine: {
    options: ['recursive'],
    run: (call) => combine(call.value, call.args, call.options.recursive === true),
  },
  dict2items: { run: (call) => Object.entries(asMap(call.value)).map(([key, value]) => ({ key, value })) },
  items2dict: {
    run: (call) =>
      Object.fromEntries(
        asList(call.value).map((each) => [asText(asMap(each).key, 'key'), asMap(each).value ?? null]),
      ),
  },
  flatten: {
    options: ['levels'],
    run: (call) => flatten(asList(call.value), Number(call.options.levels ?? call.args[0] ?? allLevels)),
  },
  union: { run: (call) => unique([...asList(call.value), ...asList(call.args[0])]) },
  intersect: {
    run: (call) => unique(asList(call.value).filter((each) => has(asList(call.args[0]), each))),
  },
  difference: {
    run: (call) => unique(asList(call.value).filter((each) => !has(asList(call.args[0]), each))),
  },
  ternary: {
    run: (call) => (isTrue(call.value) ? (call.args[0] ?? null) : (call.args[1] ?? null)),
  },
  /** Checks for none and ''. An undefined variable is already an error before the filter is called. */
  mandatory: {
    run(call) {
      if (call.value === null || call.value === '')
        throw new Error(asText(call.args[0] ?? 'expected a value, found an empty one'))
      return call.value
    },
  },
}

function isTrue(value: Data): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (isMap(value)) return Object.keys(value).length > 0
  return Boolean(value)
}
