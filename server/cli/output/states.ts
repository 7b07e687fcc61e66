import { type StateColor, type StateKind, stateNamed } from '../../core/states.ts'
import type { CliIo } from './io.ts'
import { type Cell, printable } from './table.ts'

/** The sequences of terminals (ECMA-48, 8.3.117); orange is one of the 256 colours that all of today have. */
const sequences: Readonly<Record<StateColor, string>> = {
  blue: '\x1b[34m',
  green: '\x1b[32m',
  orange: '\x1b[38;5;208m',
  yellow: '\x1b[33m',
  red: '\x1b[31m',
  grey: '\x1b[2m',
  purple: '\x1b[35m',
}

/** A state as a cell of a table: its word, and what is to be said beside it. */
export function stateCell(kind: StateKind, id: string, io: Pick<CliIo, 'color'>, more = ''): Cell {
  const state = stateNamed(kind, id)
  const text = `${state?.word ?? id}${more}`
  return io.color && state ? { text, begin: sequences[state.color], end: '\x1b[0m' } : text
}

/** The same in a line of text. */
export function stateText(kind: StateKind, id: string, io: Pick<CliIo, 'color'>, more = ''): string {
  const cell = stateCell(kind, id, io, more)
  return typeof cell === 'string' ? printable(cell) : `${cell.begin}${printable(cell.text)}${cell.end}`
}
