import { kickstartQuote, oneLine } from '../../render/kickstart-quote.ts'
import { shellWord } from '../../render/quote.ts'
import { asMap, asText, type Data, type Filter, type FilterCall, isMap } from './filter.ts'

/**
 * Compiles a regular expression in the syntax of Python, which Ansible uses. JavaScript spells `(?P<x>`,
 * `(?P=x)`, `\A` and `\Z` differently.
 */
function compile(call: FilterCall, pattern: Data | undefined, flags: string): RegExp {
  const source = asText(pattern, 'pattern')
    .replaceAll('(?P<', '(?<')
    .replaceAll(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replaceAll(/(?<!\\)\\A/g, '(?<![\\s\\S])')
    .replaceAll(/(?<!\\)\\Z/g, '(?![\\s\\S])')
  const allFlags = `${flags}${call.options.ignorecase ? 'i' : ''}${call.options.multiline ? 'm' : ''}`
  return new RegExp(source, `u${allFlags}`)
}

/** Expands `\1`, `\g<1>` and `\g<name>` in a replacement, as Python does. */
function expand(replacement: string, match: RegExpExecArray): string {
  return replacement.replaceAll(/\\(?:g<(\w+)>|(\d)|(\\)|n)/g, (all, named, digit, backslash) => {
    if (backslash) return '\\'
    const key: string | undefined = named ?? digit
    if (key === undefined) return all === '\\n' ? '\n' : all
    const value = /^\d+$/.test(key) ? match[Number(key)] : match.groups?.[key]
    return value ?? ''
  })
}

const regexOptions = ['ignorecase', 'multiline', 'count']

const regexReplace: Filter = {
  options: regexOptions,
  run(call) {
    const text = asText(call.value)
    const replacement = asText(call.args[1] ?? '', 'replacement')
    const limit = Number(call.options.count ?? 0)
    let result = ''
    let copied = 0
    let done = 0
    for (const match of text.matchAll(compile(call, call.args[0], 'g'))) {
      if (limit > 0 && done++ >= limit) break
      result += text.slice(copied, match.index) + expand(replacement, match)
      copied = match.index + match[0].length
    }
    return result + text.slice(copied)
  },
}

/**
 * Returns the match, or one group of the match (`'\\1'`). Without a match it returns '', which is false in a
 * condition and prints nothing.
 */
const regexSearch: Filter = {
  options: regexOptions,
  run(call) {
    const match = compile(call, call.args[0], '').exec(asText(call.value))
    if (!match) return ''
    return call.args[1] === undefined ? match[0] : expand(asText(call.args[1]), match)
  },
}

const regexFindall: Filter = {
  options: regexOptions,
  run: (call) =>
    [...asText(call.value).matchAll(compile(call, call.args[0], 'g'))].map((match) => match[1] ?? match[0]),
}

/** The printf of Python and Jinja: %s %d %i %x %X %o %f %%, with flags and width. */
function format(pattern: string, args: readonly Data[]): string {
  let next = 0
  return pattern.replaceAll(
    /%([-0]*)(\d*)(?:\.(\d+))?([sdixXof%])/g,
    (_all, ...[flags, width, precision, type]) => {
      if (type === '%') return '%'
      if (next >= args.length) throw new Error('expected a value for each % of the pattern, found fewer')
      const text = formatOne(args[next++] ?? null, type, precision)
      if (flags.includes('-')) return text.padEnd(Number(width))
      return text.padStart(Number(width), flags.includes('0') && type !== 's' ? '0' : ' ')
    },
  )
}

function formatOne(value: Data, type: string, precision: string | undefined): string {
  if (type === 's') return asText(value)
  const number = Number(value)
  if (Number.isNaN(number)) throw new Error(`expected a number for %${type}, found ${JSON.stringify(value)}`)
  switch (type) {
    case 'x':
      return Math.trunc(number).toString(16)
    case 'X':
      return Math.trunc(number).toString(16).toUpperCase()
    case 'o':
      return Math.trunc(number).toString(8)
    case 'f':
      return number.toFixed(Number(precision ?? 6))
    default:
      return String(Math.trunc(number))
  }
}

function dirname(path: string): string {
  const cut = path.lastIndexOf('/')
  return cut < 0 ? '' : path.slice(0, cut).replace(/\/+$/, '') || '/'
}

function truth(value: Data): boolean {
  if (typeof value === 'string')
    return ['yes', 'on', '1', 'true', 't', 'y'].includes(value.trim().toLowerCase())
  return value === true || value === 1
}

function urlencode(value: Data): string {
  if (isMap(value))
    return Object.entries(asMap(value))
      .map(([key, each]) => `${encodeURIComponent(key)}=${encodeURIComponent(asText(each))}`)
      .join('&')
  return encodeURIComponent(asText(value)).replaceAll('%2F', '/')
}

export const textFilters: Readonly<Record<string, Filter>> = {
  b64encode: { run: (call) => Buffer.from(asText(call.value)).toString('base64') },
  b64decode: { run: (call) => Buffer.from(asText(call.value), 'base64').toString('utf8') },
  regex_replace: regexReplace,
  regex_search: regexSearch,
  regex_findall: regexFindall,
  // Without `-`, which needs no escape: an expression with the flag `u` allows none.
  regex_escape: { run: (call) => asText(call.value).replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&') },
  quote: { run: (call) => shellWord(asText(call.value)) },
  ks_quote: { run: (call) => kickstartQuote(asText(call.value)) },
  one_line: { run: (call) => oneLine(asText(call.value)) },
  xml_escape: {
    run: (call) => asText(call.value).replaceAll(/[&<>"']/g, (sign) => `&#${sign.codePointAt(0)};`),
  },
  format: { run: (call) => format(asText(call.value), call.args) },
  basename: { run: (call) => asText(call.value).replace(/^.*\//, '') },
  dirname: { run: (call) => dirname(asText(call.value)) },
  urlencode: { run: (call) => urlencode(call.value) },
  bool: { run: (call) => truth(call.value) },
  comment: {
    run: (call) =>
      asText(call.value)
        .split('\n')
        .map((line) => `# ${line}`.trimEnd())
        .join('\n'),
  },
}
