import { asText, type Data, type Filter, type FilterCall } from './filter.ts'

/**
 * Compiles a regular expression in the syntax of Python, which Ansible uses. JavaScript spells `(?P<x>`,
 * `(?P=x)`, `\A` and `\Z` differently, and has no flags at the beginning, such as `(?i)`.
 */
export function compile(call: Pick<FilterCall, 'options'>, pattern: Data | undefined, flags: string): RegExp {
  const text = asText(pattern, 'pattern')
  const inline = /^\(\?([aimsu]+)\)/.exec(text)?.[1] ?? ''
  const source = (inline === '' ? text : text.slice(inline.length + 3))
    .replaceAll('(?P<', '(?<')
    .replaceAll(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replaceAll(/(?<!\\)\\A/g, '(?<![\\s\\S])')
    .replaceAll(/(?<!\\)\\Z/g, '(?![\\s\\S])')
  const has = (flag: string, option: Data | undefined) =>
    inline.includes(flag) || option === true ? flag : ''
  const { ignorecase, multiline } = call.options
  const all = `u${flags}${has('i', ignorecase)}${has('m', multiline)}${has('s', undefined)}`
  try {
    return new RegExp(source, all)
  } catch (error) {
    const reason = error instanceof Error ? error.message.split(': ').at(-1) : ''
    throw new Error(
      `cannot read the pattern ${JSON.stringify(text)}: ${reason}; flags such as (?i) go to its beginning, and (?x), (?#...) and conditions are not known`,
    )
  }
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

export const regexReplace: Filter = {
  params: ['pattern', 'replacement'],
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
export const regexSearch: Filter = {
  params: ['pattern', 'group'],
  rest: true,
  options: regexOptions.slice(0, 2),
  run(call) {
    const match = compile(call, call.args[0], '').exec(asText(call.value))
    if (!match) return ''
    const groups = call.args.slice(1).map((each) => expand(asText(each, 'group'), match))
    return groups.length > 1 ? groups : (groups[0] ?? match[0])
  },
}

export const regexFindall: Filter = {
  params: ['pattern'],
  options: regexOptions.slice(0, 2),
  run: (call) =>
    [...asText(call.value).matchAll(compile(call, call.args[0], 'g'))].map(([all, ...groups]) =>
      groups.length > 1 ? groups.map((each) => each ?? '') : (groups[0] ?? all),
    ),
}
