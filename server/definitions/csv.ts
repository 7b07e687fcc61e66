/** Comma-separated values: RFC 4180, with lines that end in CRLF or LF when they are read, and in CRLF when written. */

/** One record, which may have several lines. */
export interface CsvRow {
  /** In which line it begins, from 1. */
  readonly line: number
  readonly cells: readonly string[]
  /** Why it cannot be read. */
  readonly fault?: string
}

/** What stands between the cells: a comma, or what spreadsheets write where a comma is part of a number. */
export const csvSeparators = [',', ';', '\t'] as const
export type CsvSeparator = (typeof csvSeparators)[number]

/** The first line that is not empty, without a mark (U+FEFF) before it. */
export function headerOf(text: string): string {
  const [first = ''] = text.trimStart().split(/[\r\n]/, 1)
  return first
}

/** The separators in a header, outside of quotes. A table has one of them; a table of one column has none. */
export function separatorsOf(header: string): readonly CsvSeparator[] {
  const bare = header.replace(/"[^"]*"/g, '')
  return csvSeparators.filter((each) => bare.includes(each))
}

/** Empty lines are left out. A mark at the beginning (U+FEFF), as spreadsheets write it, is not part of the first cell. */
export function* parseCsv(text: string, separator: CsvSeparator = ','): Generator<CsvRow> {
  const reader = new CellReader(text, separator)
  let line = 1
  while (!reader.isAtEnd) {
    const start = reader.at
    const cells = [reader.next()]
    while (reader.isRowOpen) cells.push(reader.next())
    const fault = cells.find((cell) => cell.fault !== undefined)?.fault
    const values = cells.map(({ value }) => value)
    if (values.length > 1 || values[0] !== '' || fault !== undefined)
      yield { line, cells: values, ...(fault === undefined ? {} : { fault }) }
    line += text.slice(start, reader.at).split(/\r\n|\r|\n/).length - 1
  }
}

/** Steps through the cells of a text. No character is looked at twice, whatever the quotes are. */
class CellReader {
  readonly #text: string
  readonly #separator: CsvSeparator
  at: number
  /** Whether another cell of the same record follows. */
  isRowOpen = false

  constructor(text: string, separator: CsvSeparator) {
    this.#text = text
    this.#separator = separator
    this.at = text.startsWith('\uFEFF') ? 1 : 0
  }

  get isAtEnd(): boolean {
    return this.at >= this.#text.length
  }

  next(): { readonly value: string; readonly fault?: string } {
    if (this.#text[this.at] !== '"') {
      const value = this.#upToEnd()
      return value.includes('"') ? { value, fault: insideText } : { value }
    }
    const start = ++this.at
    const close = this.#closingQuote()
    this.at = close < 0 ? this.#text.length : close + 1
    const value = this.#text.slice(start, close < 0 ? undefined : close).replaceAll('""', '"')
    const behind = this.#upToEnd()
    if (close < 0) return { value, fault: 'a quote is opened and not closed' }
    return behind.trim() === '' ? { value } : { value, fault: insideText }
  }

  #closingQuote(): number {
    let close = this.#text.indexOf('"', this.at)
    while (close >= 0 && this.#text[close + 1] === '"') close = this.#text.indexOf('"', close + 2)
    return close
  }

  /** What is left of the cell, and steps over what ends it. */
  #upToEnd(): string {
    const form = upTo[this.#separator]
    form.lastIndex = this.at
    const value = form.exec(this.#text)?.[0] ?? ''
    const end = this.at + value.length
    this.isRowOpen = this.#text[end] === this.#separator
    this.at = end + (this.#text.startsWith('\r\n', end) ? 2 : 1)
    return value
  }
}

/** What belongs to a cell without quotes. Each use sets where it begins. */
const upTo = { ',': /[^,\r\n]*/y, ';': /[^;\r\n]*/y, '\t': /[^\t\r\n]*/y } as const satisfies Record<
  CsvSeparator,
  RegExp
>

const insideText =
  'a quote stands inside of a value; put the whole value in quotes, and write each quote in it twice'

/** Rows of one length each, the first of them with the names of the columns. */
export function csvText(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(quotedCell).join(',')}\r\n`).join('')
}

function quotedCell(cell: string): string {
  return /[",\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}
