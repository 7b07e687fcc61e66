import { asList, asMap, asText, type Data, type Filter, kindOf } from './filter.ts'
import { formatOne } from './printf.ts'

/**
 * Filters that calls.ts writes into templates: methods of Python that the engine does not have, and the second
 * forms of the engine's filters, with the arguments that the engine does not take.
 */

const field =
  /^(?<name>\w*)(?::(?:(?<fill>.?)(?<align>[<>^]))?(?<zero>0?)(?<width>\d*)(?:\.(?<precision>\d+))?(?<type>[sdxXof]?))?$/su

/** `str.format`: `{}`, `{0}`, `{name}`, with fill, alignment, width, precision and type. */
function format(pattern: string, args: readonly Data[], named: Readonly<Record<string, Data>>): string {
  let next = 0
  return pattern.replaceAll(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g, (all, inside: string | undefined) => {
    if (all === '{{' || all === '}}') return all.charAt(0)
    const parts = field.exec(inside ?? '!')?.groups
    if (!parts) throw new Error(`expected {}, {0} or {name:05d}, found ${all}`)
    const key = parts.name === '' ? String(next++) : (parts.name ?? '')
    const value = /^\d+$/.test(key) ? args[Number(key)] : named[key]
    if (value === undefined) throw new Error(`expected a value for ${all}, found none`)
    return fieldText(value, parts)
  })
}

function fieldText(value: Data, parts: Readonly<Record<string, string | undefined>>): string {
  const isNumber = typeof value === 'number'
  const usual = isNumber && parts.precision !== undefined ? 'f' : 's'
  const text = formatOne(value, parts.type || usual, parts.precision)
  const fill = parts.fill || (parts.zero ? '0' : ' ')
  return pad(text, Number(parts.width || 0), parts.align || (isNumber ? '>' : '<'), fill)
}

function pad(text: string, width: number, align: string, fill: string): string {
  if (align === '<') return text.padEnd(width, fill)
  if (align === '>') return text.padStart(width, fill)
  const left = Math.floor(Math.max(0, width - text.length) / 2)
  return text.padStart(text.length + left, fill).padEnd(width, fill)
}

const padded = (align: string): Filter => ({
  params: ['width', 'fillchar'],
  run: (call) =>
    pad(asText(call.value), Number(call.args[0] ?? 80), align, asText(call.args[1] ?? ' ', 'fillchar')),
})

/** Splits from the right, at most `most` times. */
function splitRight(text: string, separator: Data | undefined, most: number): readonly string[] {
  const parts = splitText(text, separator, -1)
  if (most < 0 || parts.length <= most + 1) return parts
  const by = separator === undefined || separator === null ? ' ' : asText(separator, 'separator')
  const cut = parts.length - most
  return [parts.slice(0, cut).join(by), ...parts.slice(cut)]
}

/** `str.split` of Python: without a separator, at any blanks. */
export function splitText(text: string, separator: Data | undefined, most: number): readonly string[] {
  const blank = separator === undefined || separator === null
  if (!blank && separator === '') throw new Error('expected a separator, found an empty text')
  const rest = blank ? text.trim() : text
  if (rest === '' && blank) return []
  const all = blank ? rest.split(/\s+/) : rest.split(asText(separator, 'separator'))
  if (most < 0 || all.length <= most + 1) return all
  if (!blank) return [...all.slice(0, most), all.slice(most).join(asText(separator))]
  const head = all.slice(0, most)
  return [...head, head.reduce((left, each) => left.slice(each.length).trimStart(), rest)]
}

function integer(value: Data, fallback: Data | undefined, base: number): Data {
  if (typeof value === 'number') return Math.trunc(value)
  if (typeof value === 'boolean') return Number(value)
  const text = typeof value === 'string' ? value.trim().toLowerCase().replaceAll('_', '') : ''
  const digits = { 2: '01', 8: '0-7', 10: '0-9', 16: '0-9a-f' }[base]
  if (digits === undefined) throw new Error(`expected 2, 8, 10 or 16 as base, found ${base}`)
  const plain = new RegExp(`^[-+]?(?:0[box])?[${digits}]+$`).exec(text)
  if (plain) return Number.parseInt(text.replace(/^([-+]?)0[box]/, '$1'), base)
  if (base === 10 && text !== '' && Number.isFinite(Number(text))) return Math.trunc(Number(text))
  return otherwise(value, fallback)
}

function otherwise(value: Data, fallback: Data | undefined): Data {
  if (fallback !== undefined && fallback !== null) return fallback
  throw new Error(
    `expected a number, found ${typeof value === 'string' ? JSON.stringify(value) : kindOf(value)}`,
  )
}

function round(value: Data, precision: number, method: string): Data {
  const factor = 10 ** precision
  if (typeof value !== 'number') throw new Error(`expected a number, found ${kindOf(value)}`)
  if (method === 'ceil') return Math.ceil(value * factor) / factor
  if (method === 'floor') return Math.floor(value * factor) / factor
  if (method === 'common') return Math.round(value * factor) / factor
  throw new Error(`unknown method '${method}', expected common, ceil or floor`)
}

/** The value at a path such as `disk.size`. */
function attribute(value: Data, path: Data | undefined): Data {
  if (path === undefined || path === null) return value
  return asText(path, 'attribute')
    .split('.')
    .reduce<Data>((each, key) => {
      const found = Array.isArray(each) ? each[Number(key)] : asMap(each)[key]
      if (found === undefined) throw new Error(`expected ${key} in each value, found none`)
      return found
    }, value)
}

export const hiddenFilters: Readonly<Record<string, Filter>> = {
  __get: {
    params: ['key', 'default'],
    run(call) {
      const key = call.args[0] ?? null
      const map = asMap(call.value)
      return Object.hasOwn(map, String(key)) ? (map[String(key)] ?? null) : (call.args[1] ?? null)
    },
  },
  __format: {
    rest: true,
    anyName: true,
    run: (call) => format(asText(call.value), call.args, call.options),
  },
  __zfill: {
    params: ['width'],
    run(call) {
      const text = asText(call.value)
      const sign = /^[-+]/.exec(text)?.[0] ?? ''
      return sign + text.slice(sign.length).padStart(Number(call.args[0] ?? 0) - sign.length, '0')
    },
  },
  __ljust: padded('<'),
  __rjust: padded('>'),
  __center: padded('^'),
  __rsplit: {
    params: ['sep', 'maxsplit'],
    run: (call) => splitRight(asText(call.value), call.args[0], Number(call.args[1] ?? -1)),
  },
  __removeprefix: {
    params: ['prefix'],
    run(call) {
      const [text, prefix] = [asText(call.value), asText(call.args[0], 'prefix')]
      return text.startsWith(prefix) ? text.slice(prefix.length) : text
    },
  },
  __removesuffix: {
    params: ['suffix'],
    run(call) {
      const [text, suffix] = [asText(call.value), asText(call.args[0], 'suffix')]
      return suffix !== '' && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text
    },
  },
  __replace: {
    params: ['old', 'new', 'count'],
    run(call) {
      const [old, fresh] = [asText(call.args[0], 'old'), asText(call.args[1], 'new')]
      const parts = splitText(asText(call.value), old, Number(call.args[2] ?? -1))
      return parts.join(fresh)
    },
  },
  __int: {
    params: ['default', 'base'],
    run: (call) => integer(call.value, call.args[0], Number(call.args[1] ?? 10)),
  },
  __float: {
    params: ['default'],
    run(call) {
      const number =
        typeof call.value === 'string' && call.value.trim() !== '' ? Number(call.value) : call.value
      return typeof number === 'number' && Number.isFinite(number)
        ? number
        : otherwise(call.value, call.args[0])
    },
  },
  __round: {
    params: ['precision', 'method'],
    run: (call) => round(call.value, Number(call.args[0] ?? 0), asText(call.args[1] ?? 'common', 'method')),
  },
  __sum: {
    params: ['attribute', 'start'],
    run: (call) =>
      asList(call.value).reduce<number>(
        (sum, each) => {
          const number = attribute(each, call.args[0])
          if (typeof number !== 'number') throw new Error(`expected numbers, found ${kindOf(number)}`)
          return sum + number
        },
        Number(call.args[1] ?? 0),
      ),
  },
}
