import { asMap, asText, type Data } from './filter.ts'

/** The printf of Python and Jinja: %s %d %i %x %X %o %f %%, with flags and width, and %(name)s. */
export function printf(
  pattern: string,
  args: readonly Data[],
  named: Readonly<Record<string, Data>>,
): string {
  let next = 0
  const text = pattern.replaceAll(
    /%(?:\((\w+)\))?([-0+ ]*)(\d*)(?:\.(\d+))?(.?)/gs,
    (all, ...[name, flags, width, precision, type]) => {
      if (type === '%') return '%'
      if (!/^[sdixXof]$/.test(type))
        throw new Error(`expected %s, %d, %i, %x, %X, %o, %f or %%, found ${all}`)
      const value = name === undefined ? args[next++] : namedValue(name, args, named)
      if (value === undefined) throw new Error('expected a value for each % of the pattern, found fewer')
      return inWidth(formatOne(value, type, precision), flags, Number(width), type === 's')
    },
  )
  if (next > 0 && next < args.length)
    throw new Error('expected a % of the pattern for each value, found fewer')
  return text
}

function inWidth(text: string, flags: string, width: number, isText: boolean): string {
  const shown = flags.includes('+') && !isText && !text.startsWith('-') ? `+${text}` : text
  if (flags.includes('-')) return shown.padEnd(width)
  if (isText || !flags.includes('0')) return shown.padStart(width)
  const sign = /^[-+]?/.exec(shown)?.[0] ?? ''
  return sign + shown.slice(sign.length).padStart(width - sign.length, '0')
}

/** `'%(a)s' % {'a': 1}` gives one mapping, `format(a=1)` names. */
function namedValue(name: string, args: readonly Data[], named: Readonly<Record<string, Data>>): Data {
  const value = args.length === 1 && named[name] === undefined ? asMap(args[0])[name] : named[name]
  if (value === undefined) throw new Error(`expected a value named ${name}, found none`)
  return value
}

export function formatOne(value: Data, type: string, precision: string | undefined): string {
  if (type === 's') return precision === undefined ? asText(value) : asText(value).slice(0, Number(precision))
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
