import { parse, stringify } from 'yaml'
import { asList, asMap, asText, type Data, type Filter, type FilterCall, isMap } from './filter.ts'

/** The engine passes maps sorted by key, so JSON and YAML are the same bytes in each rendering. */
const json = (value: Data, indent?: number): string => JSON.stringify(value, undefined, indent)

type Merge = (old: readonly Data[], fresh: readonly Data[]) => readonly Data[]

const listMerges: Readonly<Record<string, Merge>> = {
  replace: (_old, fresh) => fresh,
  keep: (old) => old,
  append: (old, fresh) => [...old, ...fresh],
  prepend: (old, fresh) => [...fresh, ...old],
}

/**
 * `combine` of Ansible: later values override earlier ones. Nested mappings are merged only with `recursive`.
 */
function combine(first: Data, others: readonly Data[], recursive: boolean, lists: Merge): Data {
  let result = asMap(first)
  for (const other of others.flat()) {
    const merged = new Map(Object.entries(result))
    for (const [key, value] of Object.entries(asMap(other))) {
      const old = merged.get(key)
      if (recursive && isMap(old) && isMap(value)) merged.set(key, combine(old, [value], true, lists))
      else if (Array.isArray(old) && Array.isArray(value)) merged.set(key, lists(old, value))
      else merged.set(key, value)
    }
    result = Object.fromEntries(merged)
  }
  return result
}

function mergeOf(name: Data | undefined): Merge {
  const found = listMerges[asText(name ?? 'replace', 'list_merge')]
  if (found) return found
  throw new Error(`unknown list_merge, expected ${Object.keys(listMerges).join(', ')}`)
}

/** The names of the two keys of `dict2items` and `items2dict`. */
const itemKeys = ({ args }: FilterCall) => ({
  keyName: asText(args[0] ?? 'key', 'key_name'),
  valueName: asText(args[1] ?? 'value', 'value_name'),
})

const columns = (call: FilterCall, count: (lengths: readonly number[]) => number): Data[][] => {
  const lists = [call.value, ...call.args].map((each) => asList(each))
  const length = count(lists.map((each) => each.length))
  const fill = call.options.fillvalue ?? null
  return Array.from({ length }, (_, row) => lists.map((list) => list[row] ?? fill))
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
    rest: true,
    options: ['recursive', 'list_merge'],
    run: (call) =>
      combine(call.value, call.args, call.options.recursive === true, mergeOf(call.options.list_merge)),
  },
  dict2items: {
    params: ['key_name', 'value_name'],
    run(call) {
      const { keyName, valueName } = itemKeys(call)
      return Object.entries(asMap(call.value)).map(([key, value]) => ({ [keyName]: key, [valueName]: value }))
    },
  },
  items2dict: {
    params: ['key_name', 'value_name'],
    run(call) {
      const { keyName, valueName } = itemKeys(call)
      return Object.fromEntries(
        asList(call.value).map((each) => [
          asText(asMap(each)[keyName], keyName),
          asMap(each)[valueName] ?? null,
        ]),
      )
    },
  },
  zip: { rest: true, run: (call) => columns(call, (lengths) => Math.min(...lengths)) },
  zip_longest: {
    rest: true,
    options: ['fillvalue'],
    run: (call) => columns(call, (lengths) => Math.max(...lengths)),
  },
  flatten: {
    params: ['levels'],
    run: (call) => flatten(asList(call.value), Number(call.args[0] ?? allLevels)),
  },
  union: { params: ['other'], run: (call) => unique([...asList(call.value), ...asList(call.args[0])]) },
  symmetric_difference: {
    params: ['other'],
    run(call) {
      const [a, b] = [asList(call.value), asList(call.args[0])]
      return unique([...a.filter((each) => !has(b, each)), ...b.filter((each) => !has(a, each))])
    },
  },
  intersect: {
    params: ['other'],
    run: (call) => unique(asList(call.value).filter((each) => has(asList(call.args[0]), each))),
  },
  difference: {
    params: ['other'],
    run: (call) => unique(asList(call.value).filter((each) => !has(asList(call.args[0]), each))),
  },
  ternary: {
    params: ['true_val', 'false_val', 'none_val'],
    run({ value, args: [yes = null, no = null, none = null] }) {
      if (value === null && none !== null) return none
      return isTrue(value) ? yes : no
    },
  },
  /** Checks for none and ''. An undefined variable is already an error before the filter is called. */
  mandatory: {
    params: ['msg'],
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
