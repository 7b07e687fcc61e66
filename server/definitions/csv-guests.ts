import { isMapping, type YamlMapping, type YamlValue } from '../config/yaml.ts'
import { csvText } from './csv.ts'
import { isFilled } from './yaml-values.ts'

/**
 * Definitions of guests in a table. A column is a key, with dots for the keys below it: `virt.memory`, `vars.hostname`.
 * The values of a list are joined by `;`. What would be read as something else, such as the text `12` or a text with `;`,
 * is written as JSON. So what is exported is read as the same data.
 */

export const listSeparator = ';'

/** The columns that every table has, in this order. */
export const firstColumns = ['name', 'mac', 'uuid', 'serial', 'ip', 'profile', 'tree', 'template'] as const

const ofFirst: ReadonlySet<string> = new Set(firstColumns)
/** A value of these is a list, and one without a separator a list of one. */
const listColumns: ReadonlySet<string> = new Set(['mac', 'profile', 'args'])

/** A named definition. */
export interface NamedData {
  readonly name: string
  readonly data: YamlMapping
}

export function guestsCsv(guests: readonly NamedData[]): string {
  const rows = guests.map(({ name, data }) => new Map([['name', name], ...cellsOf(data)]))
  const known = new Set<string>(firstColumns)
  const others = new Set(rows.flatMap((row) => [...row.keys()].filter((column) => !known.has(column))))
  const columns = [...firstColumns, ...[...others].sort()]
  return csvText([columns, ...rows.map((row) => columns.map((column) => row.get(column) ?? ''))])
}

function cellsOf(data: YamlMapping, above = ''): [string, string][] {
  return Object.entries(data).flatMap(([key, value]): [string, string][] => {
    const column = above === '' ? key : `${above}.${key}`
    // The value of a var stays whole.
    const isDivided = isMapping(value) && isFilled(value) && !above.startsWith('vars')
    if (isDivided && Object.keys(value).every((inner) => inner !== '' && !/[.\s]/.test(inner)))
      return cellsOf(value, column)
    return [[column, cellOf(column, value)]]
  })
}

function cellOf(column: string, value: YamlValue): string {
  const items = Array.isArray(value) && value.length > 0 ? value : [value]
  const isPlain = items.every((item) => typeof item !== 'object' && sameAsRead(column, String(item), item))
  const isOne = !Array.isArray(value) || (value.length === 1 && listColumns.has(column))
  return isPlain && (isOne || items.length > 1)
    ? items.map(String).join(listSeparator)
    : JSON.stringify(value)
}

/** Whether a part of a cell is read as the value that it was written for. */
function sameAsRead(column: string, written: string, value: YamlValue): boolean {
  if (written === '' || /[;\r\n]|^["[{]|^\s|\s$/.test(written)) return false
  return (isOfText(column) && typeof value === 'number') || plainValue(column, written) === value
}

/**
 * The value of a cell. Undefined for an empty one.
 *
 * @throws SyntaxError when it begins as JSON (`[`, `{`, `"`) and is none.
 */
export function valueOfCell(column: string, cell: string): YamlValue | undefined {
  const written = cell.trim()
  if (written === '') return undefined
  if (/^["[{]/.test(written)) return JSON.parse(written) as YamlValue
  const items = written.split(listSeparator).map((item) => plainValue(column, item.trim()))
  const [first] = items
  return items.length === 1 && first !== undefined ? first : items
}

/** Whether the values are texts, or lists of texts, whatever they look like. */
function isOfText(column: string): boolean {
  return ofFirst.has(column) || column === 'args' || column.startsWith('tree.')
}

function plainValue(column: string, text: string): YamlValue {
  if (isOfText(column)) return text
  if (text === 'true' || text === 'false') return text === 'true'
  if (text === 'null') return null
  // As readYaml takes them: 012 and 9.10 stay texts.
  return /^-?\d/.test(text) && String(Number(text)) === text ? Number(text) : text
}
