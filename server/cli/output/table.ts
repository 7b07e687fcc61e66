/** What machines, installers and files have said must not give orders to a terminal, nor begin a line of its own. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, '?')
}

/** Rows as aligned columns, two spaces apart, without trailing blanks. The last column may be as long as it likes. */
export function table(said: readonly (readonly string[])[]): string {
  const rows = said.map((row) => row.map(printable))
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      if (column < row.length - 1) widths[column] = Math.max(widths[column] ?? 0, cell.length)
    }
  }
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column < row.length - 1 ? cell.padEnd(widths[column] ?? 0) : cell))
      .join('  ')
      .trimEnd(),
  )
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

/** JSON for pipes: one value, indented, with a final newline. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

/** `1 tree`, `2 trees`, `0 trees`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
