import { guestSchema } from '../../config/file-schema.ts'
import { isMapping, type YamlMapping } from '../../config/yaml.ts'
import { Failure } from '../../core/failure.ts'
import { nearestName } from '../../core/select/nearest.ts'
import { type CsvRow, type CsvSeparator, headerOf, parseCsv, separatorsOf } from '../csv.ts'
import { valueOfCell } from '../csv-guests.ts'
import { Entries, type FoundEntry } from './entries.ts'

/** The keys of a guest, and its name. */
const keys: readonly string[] = ['name', ...Object.keys(guestSchema.shape)]

/** Whether the first line looks like a header of such a table: keys, and `name` is one of them. */
export function isCsvOfGuests(text: string): boolean {
  const cells = headerOf(text).split(/[,;\t]/)
  const names = cells.map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'))
  return (
    names.includes('name') && names.slice(0, names.indexOf('name')).every((each) => /^[\w.-]+$/.test(each))
  )
}

/**
 * A table of guests, as `treeboot guests export` writes it: RFC 4180, with a header line. `name` is needed, all other
 * columns may be missing and have any order. A header with semicolons or tabs, and no commas, says that they separate the values
 * of all lines.
 *
 * @throws Failure `invalid-data` when the header is wrong: then no line can be read.
 */
export function parseCsvGuests(text: string): readonly FoundEntry[] {
  const entries = new Entries()
  let columns: readonly string[] | undefined
  for (const row of parseCsv(text, separatorOf(text))) {
    if (columns) readRow(row, columns, entries)
    else columns = columnsOf(row)
  }
  return entries.all
}

const separatorNames: Readonly<Record<CsvSeparator, string>> = {
  ',': 'commas',
  ';': 'semicolons',
  '\t': 'tabs',
}

/** @throws Failure `invalid-data` for a header with several: nobody knows where a value ends. */
function separatorOf(text: string): CsvSeparator {
  const [separator = ',', ...others] = separatorsOf(headerOf(text))
  if (others.length === 0) return separator
  const names = [separator, ...others].map((each) => separatorNames[each]).join(' and ')
  throw new Failure('invalid-data', `the header has ${names}; use one of them, best commas`)
}

function columnsOf({ line, cells, fault }: CsvRow): readonly string[] {
  const refuse = (why: string): Failure => new Failure('invalid-data', `line ${line}: ${why}`)
  if (fault !== undefined) throw refuse(fault)
  const columns = cells.map((cell) => cell.trim())
  for (const [at, column] of columns.entries()) {
    const parts = column.split('.')
    const [key = ''] = parts
    const near = nearestName(key, keys)
    const hint = near === undefined ? `known: ${keys.join(', ')}` : `did you mean '${near}'?`
    if (!keys.includes(key) || parts.some((part) => part === '' || part === '__proto__'))
      throw refuse(`'${column}' is not a key of a guest; ${hint}`)
    if (columns.indexOf(column) !== at) throw refuse(`the column ${column} is there twice`)
  }
  if (!columns.includes('name')) throw refuse('a column called name is missing')
  return columns
}

function readRow({ line, cells, fault }: CsvRow, columns: readonly string[], entries: Entries): void {
  const name = cells[columns.indexOf('name')]?.trim() ?? ''
  const label = name === '' ? undefined : name
  if (fault !== undefined) entries.faulty(line, label, fault)
  else if (cells.length !== columns.length)
    entries.faulty(line, label, `it has ${cells.length} values, and the header has ${columns.length}`)
  else if (label === undefined) entries.faulty(line, label, 'it has no name')
  else {
    const settings: YamlMapping = Object.create(null)
    const why = fill(settings, cells, columns)
    if (why === undefined) entries.found(line, { name, macs: [], ips: [], settings, notes: [] })
    else entries.faulty(line, label, why)
  }
}

/** Why it cannot be filled; undefined when it was. */
function fill(
  settings: YamlMapping,
  cells: readonly string[],
  columns: readonly string[],
): string | undefined {
  for (const [at, column] of columns.entries()) {
    if (column === 'name') continue
    try {
      const value = valueOfCell(column, cells[at] ?? '')
      if (value === undefined) continue
      if (!setAt(settings, column.split('.'), value)) return `${column} and another column say the same key`
    } catch {
      return `${column}: a value that begins with ${(cells[at] ?? '').trim().slice(0, 1)} must be JSON`
    }
  }
  return undefined
}

function setAt(
  data: YamlMapping,
  [key = '', ...below]: readonly string[],
  value: YamlMapping[string],
): boolean {
  if (below.length === 0) {
    if (Object.hasOwn(data, key)) return false
    data[key] = value
    return true
  }
  const inner = Object.hasOwn(data, key) ? data[key] : Object.create(null)
  if (!isMapping(inner)) return false
  data[key] = inner
  return setAt(inner, below, value)
}
