import { LineCounter, type Segment, scanTemplate, type Token } from './lexer.ts'

/**
 * MiniJinja's strict mode notices an undefined value when it is printed, iterated or tested, but not when it goes
 * into a filter, `~`, `==`, `not`, a list or `{% set %}`: `{{ hostname | upper }}` would quietly print nothing. And
 * its message names neither the variable nor, for a snippet, the line. So before the engine sees a template, every
 * place that reads a variable is rewritten, without moving a line:
 *
 *     a.b              (a.b if a.b is defined else ('7'|__undefined).x.x)
 *     a.b|default(1)   (a|default({})).b|default(1)        as in Ansible, missing parents count as undefined
 *     x|our_filter(y)  x|our_filter('<mark>8',y)           so that a filter can say where it failed
 *
 * `7` and `8` are numbers of sites, which remember template, line and name.
 *
 * There are two spellings. `fast` leaves alone what the engine notices by itself, `{{ a.b }}` and `{% if a %}`.
 * When that rendering fails, a second one with `explain` finds the name: it rewrites everything, and looks at
 * `(a|default({})).b is defined`, so that a missing parent is told by name too.
 */
export type Spelling = 'fast' | 'explain'

export interface Site {
  readonly template: string
  readonly line: number
  /** The variable as written, `guest.serial`, or the name of the filter. */
  readonly name: string
}

/** Begins the hidden first argument of our own filters. From the private use area: no keyboard types it. */
export const siteMark = '\ue0f7'

export const undefinedFilter = '__undefined'

/** Tags whose tokens are expressions throughout. The others (macro, block, import, ...) are left alone. */
const expressionTags = new Set(['if', 'elif', 'for', 'set', 'with', 'do', 'include'])

const keywords = new Set(
  'and or not in is if else elif true false none True False None recursive ignore missing context without with for set do include'.split(
    ' ',
  ),
)

/** The rewritten source. Adds its sites to `sites`. */
export function makeStrict(
  template: string,
  source: string,
  ownFilters: ReadonlySet<string>,
  sites: Site[],
  spelling: Spelling,
): string {
  const parts: string[] = []
  let copied = 0
  const lines = new LineCounter(source)
  for (const segment of scanTemplate(source)) {
    if (!segment.closed || (segment.kind !== 'output' && segment.kind !== 'tag')) continue
    const from = firstExpressionToken(segment)
    if (from === undefined) continue
    const site: MakeSite = (name, token) => {
      sites.push({ template, line: lines.at(token.start), name })
      return sites.length - 1
    }
    const writer = new TagWriter(source, segment.tokens, ownFilters, site, spelling)
    const begin = segment.tokens[from]?.start ?? segment.end
    const end = segment.tokens.at(-1)?.end ?? begin
    parts.push(source.slice(copied, begin), writer.write(from, segment.tokens.length))
    copied = end
  }
  parts.push(source.slice(copied))
  return parts.join('')
}

/** Where the expressions of a tag begin, or undefined when it is to be left as it is. */
function firstExpressionToken(segment: Segment): number | undefined {
  if (segment.kind === 'output') return 0
  const { tokens } = segment
  const tag = tokens[0]?.text ?? ''
  if (!expressionTags.has(tag)) return undefined
  if (tag === 'for') {
    const at = tokens.findIndex((token) => token.text === 'in')
    return at < 0 ? undefined : at + 1
  }
  if (tag === 'set') {
    const at = tokens.findIndex((token) => token.text === '=')
    // `{% set x %}...{% endset %}`, perhaps with a filter, assigns what it encloses.
    return at < 0 ? undefined : at + 1
  }
  return 1
}

interface Chain {
  /** Index of the first token after the chain. */
  readonly end: number
  /** Index after the name and after each `.part` or `[part]`. */
  readonly joints: readonly number[]
}

type MakeSite = (name: string, token: Token) => number

/** Longest chain with `[...]` that is rewritten: its text is written three times. */
const longestChain = 400

class TagWriter {
  readonly #source: string
  readonly #tokens: readonly Token[]
  readonly #ownFilters: ReadonlySet<string>
  readonly #site: MakeSite
  readonly #spelling: Spelling

  constructor(
    source: string,
    tokens: readonly Token[],
    ownFilters: ReadonlySet<string>,
    site: MakeSite,
    spelling: Spelling,
  ) {
    this.#source = source
    this.#tokens = tokens
    this.#ownFilters = ownFilters
    this.#site = site
    this.#spelling = spelling
  }

  /** Tokens `from` to `to`, rewritten, with everything between them as it was. */
  write(from: number, to: number): string {
    let text = ''
    let copied = this.#tokens[from]?.start ?? 0
    let at = from
    while (at < to) {
      const token = this.#tokens[at]
      if (!token) break
      if (this.#isOwnFilter(at)) {
        const open = this.#text(at + 1) === '('
        const mark = `'${siteMark}${this.#site(token.text, token)}'`
        const separator = this.#text(at + 2) === ')' ? '' : ','
        text += this.#source.slice(copied, token.end) + (open ? `(${mark}${separator}` : `(${mark})`)
        at += open ? 2 : 1
        copied = this.#tokens[at - 1]?.end ?? token.end
        continue
      }
      if (!this.#readsVariable(at)) {
        at++
        continue
      }
      const chain = this.#chainAt(at, to)
      const noticed = this.#spelling === 'fast' && at === from && chain.end === to && this.#isWhole(from, to)
      const written = noticed ? undefined : this.#writeChain(at, chain)
      if (written === undefined) {
        at++
        continue
      }
      text += this.#source.slice(copied, token.start) + written
      copied = this.#tokens[chain.end - 1]?.end ?? token.end
      at = chain.end
    }
    return text + this.#source.slice(copied, this.#tokens[to - 1]?.end ?? copied)
  }

  #text(at: number): string {
    return this.#tokens[at]?.text ?? ''
  }

  #isOwnFilter(at: number): boolean {
    return this.#text(at - 1) === '|' && this.#ownFilters.has(this.#text(at))
  }

  #readsVariable(at: number): boolean {
    const token = this.#tokens[at]
    if (token?.kind !== 'name' || keywords.has(token.text) || token.text === 'self') return false
    const before = this.#text(at - 1)
    if (before === '.' || before === '|' || before === 'is') return false
    if (before === 'not' && this.#text(at - 2) === 'is') return false
    return this.#text(at + 1) !== '='
  }

  /** The name at `at` and what hangs on it: `.name`, `.0`, `[...]`. */
  #chainAt(at: number, to: number): Chain {
    const joints = [at + 1]
    let end = at + 1
    while (end < to) {
      const next = this.#tokens[end + 1]
      if (this.#text(end) === '.' && (next?.kind === 'name' || next?.kind === 'number')) end += 2
      else if (this.#text(end) === '[') {
        const close = this.#closing(end, to)
        if (close === undefined) break
        end = close + 1
      } else break
      joints.push(end)
    }
    // `guest.name.lower()`: what is called is a method of `guest.name`.
    if (this.#text(end) === '(' && joints.length > 1 && this.#text(end - 2) === '.') {
      joints.pop()
      end -= 2
    }
    return { end, joints }
  }

  /** Whether `from` to `to` is all there is between the tag's delimiters, or after `if`. */
  #isWhole(from: number, to: number): boolean {
    const tag = from === 1 ? this.#text(0) : ''
    return to === this.#tokens.length && (from === 0 || tag === 'if' || tag === 'elif')
  }

  #closing(open: number, to: number): number | undefined {
    let depth = 0
    for (let at = open; at < to; at++) {
      const token = this.#tokens[at]
      if (token?.kind !== 'operator') continue
      if ('([{'.includes(token.text)) depth++
      if (')]}'.includes(token.text) && --depth === 0) return at
    }
    return undefined
  }

  /** Undefined when the chain is to stay: a call is the engine's to judge, and names the function itself. */
  #writeChain(at: number, chain: Chain): string | undefined {
    const token = this.#tokens[at]
    if (!token) return undefined
    if (this.#text(chain.end) === '(') return undefined
    const plain = this.#between(at, chain.end)
    if (plain.length > longestChain) return undefined
    if (this.#isGuarded(chain.end)) return this.#lenient(at, chain)
    const site = this.#site(plain.replaceAll(/\s+/g, ' '), token)
    const looked = this.#spelling === 'explain' ? this.#lenient(at, chain) : plain
    return `(${plain} if ${looked} is defined else ('${site}'|${undefinedFilter}).x.x)`
  }

  /** The chain, where any part may be missing. What stands in brackets is rewritten once, so the text grows little. */
  #lenient(at: number, chain: Chain): string {
    let path = this.#text(at)
    let from = at + 1
    for (const joint of chain.joints.slice(1)) {
      const indexed = this.#text(from) === '['
      const step = indexed ? `[${this.write(from + 1, joint - 1)}]` : this.#between(from, joint)
      path = `(${path}|default({}))${step}`
      from = joint
    }
    return path
  }

  #between(from: number, to: number): string {
    return this.#source.slice(this.#tokens[from]?.start ?? 0, this.#tokens[to - 1]?.end ?? 0)
  }

  /** Whether what follows deals with undefined values itself. */
  #isGuarded(at: number): boolean {
    const name = this.#text(at + 1)
    if (this.#text(at) === '|') return name === 'default' || name === 'd'
    if (this.#text(at) !== 'is') return false
    const test = name === 'not' ? this.#text(at + 2) : name
    return test === 'defined' || test === 'undefined'
  }
}
