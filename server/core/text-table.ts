/**
 * Text that came from machines, installers or files. Control characters are replaced, because they could
 * control the terminal or begin a new line.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, '?')
}

/** A text, or one that stands between two sequences of the terminal, such as a colour and its end. */
export type Cell = string | { readonly text: string; readonly begin: string; readonly end: string }

/**
 * Formats rows as aligned columns, two spaces apart, without trailing blanks. The last column may have any
 * length.
 */
export function table(cells: readonly (readonly Cell[])[]): string {
  const rows = cells.map((row) => row.map(printableCell))
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, { text }] of row.entries()) {
      if (column < row.length - 1) widths[column] = Math.max(widths[column] ?? 0, text.length)
    }
  }
  const lines = rows.map((row) =>
    row
      .map(({ text, begin, end }, column) => {
        const blanks = column < row.length - 1 ? (widths[column] ?? 0) - text.length : 0
        return `${begin}${text}${end}${' '.repeat(blanks)}`
      })
      .join('  ')
      .trimEnd(),
  )
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

function printableCell(cell: Cell): Exclude<Cell, string> {
  const { text, begin, end } = typeof cell === 'string' ? { text: cell, begin: '', end: '' } : cell
  return { text: printable(text), begin, end }
}
