/**
 * Rewrites what people know from Jinja2, Python and Ansible and what the engine lacks, before strict.ts and
 * the engine see a template. Line numbers stay the same.
 *
 *     {{ x | default(default_value='vda') }}       {{ x | default('vda') }}
 *     {{ m | dictsort(false, 'value') }}           {{ m | dictsort(case_sensitive=false, by='value') }}
 *     {{ m.get('a', 'b') }}                        {{ (m | __get('a', 'b')) }}
 *     {{ '%s-%02d' % ('a', 7) }}                   {{ ('%s-%02d' | format('a', 7)) }}
 *     {{ x | ansible.builtin.b64encode }}          {{ x | b64encode }}
 *     {{ x is match 'a' }}                         {{ x is match('a') }}
 *
 * The engine gives named arguments as a mapping to each filter, also to one that takes none. So each call is
 * checked against the table of signatures, and a wrong one is a problem of the template.
 */

import { type Argument, checkCall, WrongCall } from './call-check.ts'
import { absentFilters, engineFilters, type Signature } from './filters/signatures.ts'
import { hiddenFilters, ownFilters } from './filters/table.ts'
import { ownTests } from './filters/tests.ts'
import { LineCounter, type Segment, scanTemplate, type Token } from './lexer.ts'
import type { TemplateProblem } from './problem.ts'

export interface Translation {
  readonly source: string
  /** The first call that cannot be made. */
  readonly problem?: TemplateProblem
}

export function translateCalls(template: string, source: string): Translation {
  const parts: string[] = []
  let copied = 0
  const segments = scanTemplate(source)
  const modules = importedNames(segments)
  try {
    for (const { kind, tokens, closed } of segments) {
      const [first] = tokens
      if (!first || !closed || (kind !== 'output' && kind !== 'tag')) continue
      const text = new CallWriter(source, tokens, modules).write(0, tokens.length)
      parts.push(source.slice(copied, first.start), text)
      copied = tokens.at(-1)?.end ?? copied
    }
  } catch (error) {
    if (!(error instanceof WrongCall)) throw error
    const { message, remedy } = error
    const line = new LineCounter(source).at(error.offset)
    return { source, problem: { template, line, severity: 'error', message, remedy } }
  }
  return { source: parts.join('') + source.slice(copied) }
}

/** The name of a filter or test at `at`, without the collection before it, and the index after it. */
export function calledName(tokens: readonly Token[], at: number): { token: Token; end: number } | undefined {
  let end = at
  if (collections.has(tokens[at]?.text ?? ''))
    while (tokens[end]?.kind === 'name' && tokens[end + 1]?.text === '.') end += 2
  const token = tokens[end]
  return token?.kind === 'name' ? { token, end: end + 1 } : undefined
}

/** The first words of Ansible's names: `ansible.builtin.b64encode`, `ansible.utils.ipaddr`. */
const collections = new Set(['ansible', 'community'])

/** The names of `{% import 'x' as name %}`: what is called below them are macros, not methods. */
function importedNames(segments: readonly Segment[]): ReadonlySet<string> {
  const names = new Set<string>()
  for (const { tokens } of segments)
    if (tokens[0]?.text === 'import' && tokens[2]?.text === 'as') names.add(tokens[3]?.text ?? '')
  return names
}

/** The text that replaces some tokens, and the index of the first token after them. */
interface Change {
  readonly text: string
  readonly end: number
  /** The text becomes a filter of everything from this token on, and brackets enclose both. */
  readonly operand?: number
}

class CallWriter {
  readonly #source: string
  readonly #tokens: readonly Token[]
  readonly #modules: ReadonlySet<string>

  constructor(source: string, tokens: readonly Token[], modules: ReadonlySet<string>) {
    this.#source = source
    this.#tokens = tokens
    this.#modules = modules
  }

  /** Rewrites the tokens from `from` to `to`, and keeps everything between them. */
  write(from: number, to: number): string {
    let text = ''
    /** Where in `text` each token begins. */
    const begins = new Map<number, number>()
    let copied = this.#tokens[from]?.start ?? 0
    for (let at = from; at < to; ) {
      const token = this.#tokens[at]
      if (!token) break
      text += this.#source.slice(copied, token.start)
      begins.set(at, text.length)
      const found = this.#changeAt(at, to)
      const operand = begins.get(found?.operand ?? -1)
      const isWhole = found && (found.operand === undefined || operand !== undefined)
      const change = isWhole ? found : { text: token.text, end: at + 1 }
      if (operand === undefined) text += change.text
      else text = `${text.slice(0, operand)}(${text.slice(operand)}${change.text})`
      text += '\n'.repeat(this.#linesLost(at, change))
      at = change.end
      copied = this.#tokens[at - 1]?.end ?? token.end
    }
    return text
  }

  /** How many line ends of the replaced tokens are not in the new text. */
  #linesLost(at: number, { text, end }: Change): number {
    return Math.max(0, newlines(this.#between(at, end)) - newlines(text))
  }

  #changeAt(at: number, to: number): Change | undefined {
    const word = this.#text(at)
    if (word === '|' || (at === 0 && word === 'filter')) return this.#filterAt(at)
    if (word === 'is') return this.#testAt(at, to)
    if (word === '.') return this.#methodAt(at)
    if (word === '%' && this.#tokens[at - 1]?.kind === 'string') return this.#printfAt(at, to)
    return undefined
  }

  #filterAt(at: number): Change | undefined {
    const named = calledName(this.#tokens, at + 1)
    if (!named) return undefined
    const { token, end } = named
    const before = `${this.#text(at)}${this.#source.slice(this.#tokens[at]?.end, this.#tokens[at + 1]?.start)}`
    const absent = absentFilters[token.text]
    if (absent) throw new WrongCall(token, `the filter ${token.text} does not exist`, absent)
    const signature = engineFilters[token.text] ?? ownFilters[token.text]
    const called = this.#text(end) === '('
    const close = called ? this.#closing(end) : undefined
    if (!signature || (called && close === undefined)) return { text: before + token.text, end }
    if (close === undefined) return { text: before + token.text, end }
    const args = this.#arguments(end, close)
    checkCall(token, signature, args)
    const text = this.#writeCall(token.text, signature, args)
    return { text: before + text, end: close + 1 }
  }

  /** Writes the call as the engine takes it. */
  #writeCall(name: string, signature: Signature, args: readonly Argument[]): string {
    const { params = [], takes = params.length } = signature
    const values = new Map<string, string>()
    const others: string[] = []
    args.forEach(({ name: key, from, to }, index) => {
      const param = key ?? params[index]
      const value = this.write(from, to)
      if (param !== undefined && params.includes(param)) values.set(param, value)
      else others.push(key === undefined ? value : `${key}=${value}`)
    })
    if (signature.byName)
      return `${name}(${[...[...values].map(([key, value]) => `${key}=${value}`), ...others].join(',')})`
    const last = Math.max(-1, ...[...values.keys()].map((key) => params.indexOf(key)))
    // Our own filters know the names; a gap between positions would be a value for them.
    if (engineFilters[name] === undefined) return `${name}(${this.#plainArguments(args)})`
    const attribute = name === 'join' ? values.get('attribute') : undefined
    if (attribute !== undefined) return `map(attribute=${attribute})|join(${values.get('d') ?? "''"})`
    const positional = params
      .slice(0, last + 1)
      .map((param, index) => values.get(param) ?? signature.defaults?.[index] ?? 'none')
    const written = last < takes ? name : `__${name}`
    return `${written}(${[...positional, ...others].join(',')})`
  }

  #plainArguments(args: readonly Argument[]): string {
    return args
      .map(({ name, from, to }) => (name === undefined ? '' : `${name}=`) + this.write(from, to))
      .join(',')
  }

  #testAt(at: number, to: number): Change | undefined {
    const negated = this.#text(at + 1) === 'not'
    const named = calledName(this.#tokens, negated ? at + 2 : at + 1)
    if (!named) return undefined
    const { token, end } = named
    const text = `is ${negated ? 'not ' : ''}${token.text}`
    const signature = ownTests[token.text]
    if (!signature) return { text, end }
    if (this.#text(end) === '(') {
      const close = this.#closing(end)
      if (close !== undefined) checkCall(token, signature, this.#arguments(end, close), 'test')
      return { text, end }
    }
    const next = this.#tokens[end]
    const operand = end < to && (next?.kind === 'string' || next?.kind === 'number')
    return operand ? { text: `${text}(${next.text})`, end: end + 1 } : { text, end }
  }

  /** `.get(key, default)` and the methods of Python's texts that the engine does not have. */
  #methodAt(at: number): Change | undefined {
    const name = this.#text(at + 1)
    const method = hiddenFilters[`__${name}`]
    if (!method || !methods.has(name) || this.#text(at + 2) !== '(') return undefined
    const close = this.#closing(at + 2)
    const operand = this.#operandStart(at)
    if (close === undefined || operand === undefined || this.#modules.has(this.#text(operand)))
      return undefined
    const args = this.#arguments(at + 2, close)
    const token = this.#tokens[at + 1]
    if (token) checkCall(token, method, args, 'method')
    return { text: ` | __${name}(${this.#plainArguments(args)})`, end: close + 1, operand }
  }

  /** `'%s' % value`, in which the filters behind the value belong to the value. */
  #printfAt(at: number, to: number): Change | undefined {
    const tuple = this.#text(at + 1) === '(' ? this.#closing(at + 1) : undefined
    const end = this.#operandEnd(at + 1, to)
    if (end === undefined) return undefined
    const values =
      tuple !== undefined && tuple + 1 === end
        ? this.#plainArguments(this.#arguments(at + 1, tuple))
        : this.write(at + 1, end)
    return { text: `| format(${values})`, end, operand: at - 1 }
  }

  /** The index of the first token of the value whose method is called by the dot at `dot`. */
  #operandStart(dot: number): number | undefined {
    const start = this.#partStart(dot - 1)
    if (start === undefined) return undefined
    const sign = this.#text(start - 1)
    if (sign === '|' || sign === 'is') return undefined
    return sign === '.' ? this.#operandStart(start - 1) : start
  }

  /** The first token of a name or bracket that ends at `at`, with what its brackets belong to. */
  #partStart(at: number): number | undefined {
    if (at < 0 || !')]}'.includes(this.#text(at))) return at < 0 ? undefined : at
    const open = this.#opening(at)
    if (open === undefined || this.#text(at) === '}') return open
    const before = this.#tokens[open - 1]
    const isName = before?.kind === 'name' && !operators.has(before.text)
    return isName || [')', ']'].includes(before?.text ?? '') ? this.#partStart(open - 1) : open
  }

  /** The index after the value that begins at `from`, with what is called and filtered of it. */
  #operandEnd(from: number, to: number): number | undefined {
    let at = from
    if ('([{'.includes(this.#text(at))) at = this.#closing(at) ?? to
    at++
    while (at < to) {
      const word = this.#text(at)
      if (word === '.') at += 2
      else if (word === '|') at = calledName(this.#tokens, at + 1)?.end ?? to
      else if (word === '(' || word === '[') at = (this.#closing(at) ?? to) + 1
      else break
    }
    return at <= to ? at : undefined
  }

  #arguments(open: number, close: number): Argument[] {
    const found: Argument[] = []
    for (let from = open + 1; from < close; ) {
      const to = this.#argumentEnd(from, close)
      if (to > from) found.push(this.#argument(from, to))
      from = to + 1
    }
    return found
  }

  #argument(from: number, to: number): Argument {
    const named = this.#tokens[from]?.kind === 'name' && this.#text(from + 1) === '='
    return named ? { name: this.#text(from), from: from + 2, to } : { name: undefined, from, to }
  }

  /** The index of the comma or bracket after the argument that begins at `from`. */
  #argumentEnd(from: number, close: number): number {
    for (let at = from; at < close; at++) {
      if (this.#text(at) === ',') return at
      if ('([{'.includes(this.#text(at))) at = this.#closing(at) ?? close
    }
    return close
  }

  #closing(open: number): number | undefined {
    for (let at = open, depth = 0; at < this.#tokens.length; at++) {
      if (this.#tokens[at]?.kind === 'operator') depth += bracketStep(this.#text(at))
      if (depth === 0) return at
    }
    return undefined
  }

  #opening(close: number): number | undefined {
    for (let at = close, depth = 0; at >= 0; at--) {
      if (this.#tokens[at]?.kind === 'operator') depth += bracketStep(this.#text(at))
      if (depth === 0) return at
    }
    return undefined
  }

  #text(at: number): string {
    return this.#tokens[at]?.text ?? ''
  }

  #between(from: number, to: number): string {
    return this.#source.slice(this.#tokens[from]?.start ?? 0, this.#tokens[to - 1]?.end ?? 0)
  }
}

/** The hidden filters that stand for a method. The others are second forms of the engine's filters. */
export const methods = new Set(
  'get format zfill ljust rjust center rsplit removeprefix removesuffix'.split(' '),
)

/** Names before a bracket that does not belong to them. */
const operators = new Set('in not and or if else is'.split(' '))

function newlines(text: string): number {
  return text.split('\n').length - 1
}

function bracketStep(operator: string): number {
  if ('([{'.includes(operator)) return 1
  return ')]}'.includes(operator) ? -1 : 0
}
