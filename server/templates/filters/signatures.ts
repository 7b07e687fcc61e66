import type { Signature } from './filter.ts'

export type { Signature } from './filter.ts'

const none: Signature = {}
const byName = true as const
const asDefault: Signature = { params: ['default_value', 'boolean'], defaults: ["''", 'false'] }
/** A filter of MiniJinja whose arguments are checked by the engine. */
const any: Signature = { rest: true, anyName: true }
/** The engine forgets names here. */
const each: Signature = {
  rest: true,
  remedy: "give the arguments of the inner filter by position: map('regex_replace', 'a', 'b')",
}
const leastOrMost: Signature = { remedy: "write map(attribute='name') before it, without an argument" }

/**
 * The filters of MiniJinja 2.11 with the names and the order of Jinja2's arguments. The engine takes most of them by
 * position alone, some by name alone (`byName`), and of some only the first (`takes`): then a hidden filter of our
 * own does the work.
 */
export const engineFilters: Readonly<Record<string, Signature>> = {
  abs: none,
  attr: { params: ['name'] },
  batch: { params: ['linecount', 'fill_with'], defaults: ['1', 'none'] },
  capitalize: none,
  chain: any,
  count: none,
  d: asDefault,
  default: asDefault,
  dictsort: { params: ['case_sensitive', 'by', 'reverse'], byName },
  e: none,
  escape: none,
  filesizeformat: { params: ['binary'] },
  first: none,
  float: { params: ['default'], takes: 0 },
  groupby: { params: ['attribute', 'default', 'case_sensitive'], byName },
  indent: { params: ['width', 'first', 'blank'], defaults: ['4', 'false', 'false'] },
  int: { params: ['default', 'base'], defaults: ['none', '10'], takes: 0 },
  items: none,
  join: { params: ['d', 'attribute'], defaults: ["''"] },
  last: none,
  length: none,
  lines: none,
  list: none,
  lower: none,
  map: { ...each, options: ['attribute', 'default'] },
  max: leastOrMost,
  min: leastOrMost,
  pluralize: any,
  pprint: none,
  reject: each,
  rejectattr: each,
  replace: { params: ['old', 'new', 'count'], takes: 2 },
  reverse: none,
  round: { params: ['precision', 'method'], defaults: ['0', "'common'"], takes: 1 },
  safe: none,
  select: each,
  selectattr: each,
  slice: { params: ['slices', 'fill_with'], defaults: ['1', 'none'] },
  sort: { params: ['reverse', 'case_sensitive', 'attribute'], byName },
  string: none,
  striptags: none,
  sum: { params: ['attribute', 'start'], defaults: ['none', '0'], takes: 0 },
  title: none,
  tojson: { params: ['indent'] },
  trim: { params: ['chars'] },
  truncate: { params: ['length', 'killwords', 'end', 'leeway'], byName },
  unique: { params: ['case_sensitive', 'attribute'], byName },
  upper: none,
}

/** The filters of MiniJinja. */
export const engineFilterNames: ReadonlySet<string> = new Set(Object.keys(engineFilters))

const nested = 'write {% for %} inside of {% for %}'
const clock = 'there is no clock: the same guest gets the same file'
const noFiles = 'templates read no files of the server; write {% include %} for another template'

/** Filters of Jinja2 and Ansible that are not here, and what to write instead. */
export const absentFilters: Readonly<Record<string, string>> = {
  random: 'there is no randomness: the same guest gets the same file. Set a var of the guest',
  shuffle: 'there is no randomness: the same guest gets the same file',
  to_datetime: clock,
  strftime: clock,
  fileglob: noFiles,
  vault: 'give the plain value in vars',
  unvault: 'give the plain value in vars',
  json_query: "write selectattr('name', 'equalto', value) and map(attribute='name')",
  product: nested,
  subelements: nested,
  permutations: nested,
  combinations: nested,
  urlize: 'answer files have no links',
  wordwrap: 'break the lines in the template',
  xmlattr: 'write name="{{ value | xml_escape }}" for each attribute',
  forceescape: 'write xml_escape',
  expandvars: 'write the value as a var of the guest',
  expanduser: 'write the whole path',
  realpath: 'write the whole path',
  relpath: 'write the whole path',
  type_debug: 'write {% if x is string %}, is number, is mapping, is sequence',
}
