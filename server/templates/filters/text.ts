import { kickstartQuote, oneLine } from '../../render/kickstart-quote.ts'
import { shellWord } from '../../render/quote.ts'
import { asList, asMap, asText, type Data, type Filter, isMap } from './filter.ts'
import { printf } from './printf.ts'
import { splitText } from './python.ts'
import { regexFindall, regexReplace, regexSearch } from './regex.ts'

function dirname(path: string): string {
  const cut = path.lastIndexOf('/')
  return cut < 0 ? '' : path.slice(0, cut).replace(/\/+$/, '') || '/'
}

/** A part that begins with a slash begins anew, as in Python. */
function pathJoin(parts: readonly string[]): string {
  return parts.reduce((path, part) => {
    if (part.startsWith('/') || path === '') return part
    return path.endsWith('/') ? path + part : `${path}/${part}`
  }, '')
}

/** `a`, `a or b`, `a, b or c`. */
function choice(values: readonly string[]): string {
  return values.join(', ').replace(/, ([^,]*)$/, ' or $1')
}

function centered(text: string, width: number): string {
  return text.padStart(text.length + Math.floor(Math.max(0, width - text.length) / 2)).padEnd(width)
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
  one_of: {
    params: ['values', 'what'],
    run(call) {
      const text = asText(call.value)
      const values = asList(call.args[0]).map((each) => asText(each))
      if (values.includes(text)) return text
      throw new Error(`${asText(call.args[1] ?? 'value', 'what')} is '${text}', expected ${choice(values)}`)
    },
  },
  xml_escape: {
    run: (call) => asText(call.value).replaceAll(/[&<>"']/g, (sign) => `&#${sign.codePointAt(0)};`),
  },
  format: {
    rest: true,
    anyName: true,
    run: (call) => printf(asText(call.value), call.args, call.options),
  },
  split: {
    params: ['sep', 'maxsplit'],
    run: (call) => splitText(asText(call.value), call.args[0], Number(call.args[1] ?? -1)),
  },
  wordcount: { run: (call) => splitText(asText(call.value), null, -1).length },
  splitext: {
    run(call) {
      const [, stem = '', end = ''] = /^(.*?[^/])(\.[^./]*)?$/s.exec(asText(call.value)) ?? []
      return [stem, end]
    },
  },
  path_join: { run: (call) => pathJoin(asList(call.value).map((each) => asText(each))) },
  center: { params: ['width'], run: (call) => centered(asText(call.value), Number(call.args[0] ?? 80)) },
  basename: { run: (call) => asText(call.value).replace(/^.*\//, '') },
  dirname: { run: (call) => dirname(asText(call.value)) },
  urlencode: { run: (call) => urlencode(call.value) },
  bool: { run: (call) => truth(call.value) },
  comment: {
    params: ['style'],
    options: ['decoration'],
    run(call) {
      const style = asText(call.args[0] ?? 'plain', 'style')
      const sign = call.options.decoration ?? { plain: '# ', erlang: '% ', c: '// ' }[style]
      if (sign === undefined) throw new Error(`unknown style '${style}', expected plain, erlang or c`)
      return asText(call.value)
        .split('\n')
        .map((line) => `${asText(sign, 'decoration')}${line}`.trimEnd())
        .join('\n')
    },
  },
}
