import { asList, asText, type Data, type Filter } from './filter.ts'
import { compile } from './regex.ts'

/** Tests of Ansible and Jinja2 that the engine does not have. `run` of a test returns whether it holds. */

const regexOptions = ['ignorecase', 'multiline']

const matches = (before: string, after: string): Filter => ({
  params: ['pattern', ...regexOptions],
  run(call) {
    const [pattern, ignorecase = false, multiline = false] = call.args
    const options = { ignorecase, multiline }
    const plain = compile({ ...call, options }, pattern, '')
    return new RegExp(`${before}(?:${plain.source})${after}`, plain.flags).test(asText(call.value))
  },
})

/** As `loose` of Python compares them: numbers as numbers, a number after a text, and a part more is greater. */
function compareVersions(first: string, second: string): number {
  const [a = [], b = []] = [first, second].map((text): string[] => text.match(/\d+|[a-z]+/gi) ?? [])
  const at = a.findIndex((part, index) => part !== b[index] && comparePart(part, b[index]) !== 0)
  return at < 0 ? a.length - b.length : comparePart(a[at] ?? '', b[at])
}

function comparePart(part: string, other: string | undefined): number {
  if (other === undefined) return 1
  const [left, right] = [Number(part), Number(other)]
  if (Number.isNaN(left) !== Number.isNaN(right)) return Number.isNaN(left) ? -1 : 1
  return Number.isNaN(left) ? part.localeCompare(other, 'en') : left - right
}

const versionOperators: Readonly<Record<string, (order: number) => boolean>> = {
  '==': (order) => order === 0,
  '=': (order) => order === 0,
  eq: (order) => order === 0,
  '!=': (order) => order !== 0,
  '<>': (order) => order !== 0,
  ne: (order) => order !== 0,
  '<': (order) => order < 0,
  lt: (order) => order < 0,
  '<=': (order) => order <= 0,
  le: (order) => order <= 0,
  '>': (order) => order > 0,
  gt: (order) => order > 0,
  '>=': (order) => order >= 0,
  ge: (order) => order >= 0,
}

const version: Filter = {
  params: ['version', 'operator'],
  options: ['strict', 'version_type'],
  run(call) {
    const operator = asText(call.args[1] ?? 'eq', 'operator')
    const holds = Object.hasOwn(versionOperators, operator) ? versionOperators[operator] : undefined
    if (!holds)
      throw new Error(`unknown operator '${operator}', expected ${Object.keys(versionOperators).join(', ')}`)
    return holds(compareVersions(asText(call.value), asText(call.args[0], 'version')))
  },
}

const same = (a: Data, b: Data): boolean => JSON.stringify(a) === JSON.stringify(b)

function isWithin(small: Data, large: Data | undefined): boolean {
  const list = asList(large)
  return asList(small).every((each) => list.some((other) => same(each, other)))
}

function truth(value: Data): boolean {
  if (Array.isArray(value)) return value.length > 0
  return typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : Boolean(value)
}

const subset: Filter = { params: ['other'], run: (call) => isWithin(call.value, call.args[0]) }
const superset: Filter = { params: ['other'], run: (call) => isWithin(call.args[0] ?? null, call.value) }

export const ownTests: Readonly<Record<string, Filter>> = {
  // Python's `re.match` begins at the beginning; `re.search` begins anywhere.
  match: matches('^', ''),
  search: matches('', ''),
  regex: matches('', ''),
  fullmatch: matches('^', '$'),
  version,
  version_compare: version,
  contains: {
    params: ['value'],
    run(call) {
      const wanted = call.args[0] ?? null
      if (typeof call.value === 'string') return call.value.includes(asText(wanted))
      return asList(call.value).some((each) => same(each, wanted))
    },
  },
  subset,
  issubset: subset,
  superset,
  issuperset: superset,
  all: { run: (call) => asList(call.value).every(truth) },
  any: { run: (call) => asList(call.value).some(truth) },
  truthy: { run: (call) => truth(call.value) },
  falsy: { run: (call) => !truth(call.value) },
}

export const ownTestNames: ReadonlySet<string> = new Set(Object.keys(ownTests))
