import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const page = readFileSync(join(import.meta.dirname, '../../docs/layouts.md'), 'utf8')

/** A row of docs/layouts.md, for one of its architectures. */
export interface LayoutRow {
  readonly system: string
  readonly medium: string
  /** The arch as the path spells it, or another platform: `xen`, `lpae`. */
  readonly platform: string
  readonly kernel: string
  readonly initrd: string
  readonly installer: string
  readonly from: string
  readonly tried: string
}

export function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('`', ''))
}

/** The lines of all its tables. */
export const tableLines = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
/** All rows, once for each of their architectures. */
export const layoutRows: readonly LayoutRow[] = tableLines
  .map(cellsOf)
  .filter((cells) => cells.length === 8 && cells[0] !== 'system')
  .flatMap(([system = '', medium = '', platforms = '', kernel = '', initrd = '', ...rest]) =>
    platforms.split(', ').map((platform) => {
      const [installer = '', from = '', tried = ''] = rest
      const inPlace = (path: string) => path.replaceAll('<arch>', platform)
      return {
        system,
        medium,
        platform,
        kernel: inPlace(kernel),
        initrd: inPlace(initrd),
        installer,
        from,
        tried,
      }
    }),
  )
