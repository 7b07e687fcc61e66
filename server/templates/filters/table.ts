import { dataFilters } from './data.ts'
import type { Filter } from './filter.ts'
import { hashFilters } from './hash.ts'
import { netFilters } from './net.ts'
import { hiddenFilters } from './python.ts'
import { textFilters } from './text.ts'

/** All filters of our own. `bool` replaces the filter of the engine, for which 'no' is true, and `split` the one that prints no list. */
export const ownFilters: Readonly<Record<string, Filter>> = {
  ...textFilters,
  ...dataFilters,
  ...netFilters,
  ...hashFilters,
}

export const ownFilterNames: ReadonlySet<string> = new Set(Object.keys(ownFilters))

/** With those that calls.ts writes. */
export const markedFilters: Readonly<Record<string, Filter>> = { ...ownFilters, ...hiddenFilters }

export const markedFilterNames: ReadonlySet<string> = new Set(Object.keys(markedFilters))

export { hiddenFilters }
