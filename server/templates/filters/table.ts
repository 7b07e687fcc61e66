import { dataFilters } from './data.ts'
import type { Filter } from './filter.ts'
import { hashFilters } from './hash.ts'
import { netFilters } from './net.ts'
import { textFilters } from './text.ts'

/** All filters of our own. `bool` replaces the filter of the engine, for which 'no' is true. */
export const ownFilters: Readonly<Record<string, Filter>> = {
  ...textFilters,
  ...dataFilters,
  ...netFilters,
  ...hashFilters,
}

export const ownFilterNames: ReadonlySet<string> = new Set(Object.keys(ownFilters))

/** The filters of MiniJinja 2.11. */
export const engineFilterNames: ReadonlySet<string> = new Set(
  (
    'abs attr batch bool capitalize chain count d default dictsort e escape filesizeformat first float groupby ' +
    'indent int items join last length lines list lower map max min pluralize pprint reject rejectattr replace ' +
    'reverse round safe select selectattr slice sort split string striptags sum title tojson trim truncate unique upper'
  ).split(' '),
)
