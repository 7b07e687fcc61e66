/**
 * Rewrites templates before the engine parses them, so that each undefined variable is an error that names
 * it.
 *
 * MiniJinja's strict mode notices an undefined value when it is printed, iterated or tested. It does not
 * notice one that goes into a filter, `~`, `==`, `not`, a list or `{% set %}`: `{{ hostname | upper }}` would
 * print nothing. The message of the engine names neither the variable nor, for a snippet, the line. So each
 * place that reads a variable is rewritten. Line numbers stay the same. For example, the template `web.ks`:
 *
 *     1  network --hostname={{ hostname | upper }}
 *     2  rootpw {{ root.password | default('x') }}
 *     3  user {{ user | to_json }}
 *
 * is given to the engine as:
 *
 *     1  network --hostname={{ (hostname if hostname is defined else ('0'|__undefined).x.x) | upper }}
 *     2  rootpw {{ (root|default({})).password | default('x') }}
 *     3  user {{ (user if user is defined else ('1'|__undefined).x.x) | to_json('<mark>2') }}
 *
 * - `0`, `1` and `2` are numbers of sites; each site remembers template, line and name. When `hostname` is
 *   undefined, the filter `__undefined` gets `0`, notes the error "web.ks:1: hostname is undefined", and returns
 *   an undefined value. It cannot stop the engine; reading `.x.x` of an undefined value does.
 * - On line 2, `default` handles an undefined value itself. As in Ansible, a missing parent (`root`) counts
 *   as undefined.
 * - On line 3, one of our own filters gets its site as a hidden first argument, so that it can say where it
 *   failed.
 *
 * A template is rewritten in one of two spellings. `fast` leaves alone what the engine notices by itself:
 * `{{ a.b }}` and `{% if a %}`. When such a rendering fails, a second rendering with `explain` finds the
 * name. `explain` rewrites everything, and tests `(a|default({})).b is defined`, so that a missing parent is
 * named as well.
 */

import { LineCounter, type Segment, scanTemplate, type Token } from './lexer.ts'

export type Spelling = 'fast' | 'explain'

/** A place in a template that reads a variable or calls one of our own filters. */
export interface Site {
  readonly template: string
  readonly line: number
  /** The variable as written, `guest.serial`, or the name of the filter. */
  readonly name: string
}

/** Begins the hidden first argument of our own filters. No keyboard types this private use character. */
export const siteMark = '\ue0f7'

/** Ends that argument when the call has named arguments. */
export const namesMark = 'n'

export const undefinedFilter = '__undefined'

/** Tags whose tokens are expressions throughout. The others (macro, block, import, ...) are left alone. */
const expressionTags = new Set(['if', 'elif', 'for', 'set', 'with', 'do', 'include'])

const keywords = new Set(
  'and or not in is if else elif true false none True False None recursive ignore missing context without with for set do include'.split(
    ' ',
  ),
)

/** What `makeStrict` needs for all templates of one engine. */
export interface StrictContext {
  readonly ownFilters: ReadonlySet<string>
  readonly ownTests: ReadonlySet<string>
  /** The sites of each rewritten template are added here. */
  readonly sites: Site[]
  readonly spelling: Spelling
}

/** Rewrites one template as described above, and returns the new source. */
export function makeStrict(template: string, source: string, context: StrictContext): string {
  const { sites } = context
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
    const writer = new TagWriter(source, segment.tokens, site, context)
    const begin = segment.tokens[from]?.start ?? segment.end
    const end = segment.tokens.at(-1)?.end ?? begin
    parts.push(source.slice(copied, begin), writer.write(from, segment.tokens.length))
    copied = end
  }
  parts.push(source.slice(copied))
  return parts.join('')
}

/** The index of the first token of a tag's expressions; undefined when the tag stays as it is. */
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
    // `{% set x %}...{% endset %}`, perhaps with a filter, assigns the text that it encloses.
    return at < 0 ? undefined : at + 1
  }
  return 1
}

/** A variable with everything behind it, such as `guest.macs[0]`, as indices of tokens. */
interface Chain {
  /** Index of the first token after the chain. */
  readonly end: number
  /** Index after the name and after each `.part` or `[part]`. */
  readonly joints: readonly number[]
}

/** A range of token indices; `to` is exclusive. */
interface Span {
  readonly from: number
  readonly to: number
}

/** The text that replaces some tokens, and the index of the first token after them. */
interface Change {
  readonly text: string
  readonly end: number
}

/** Adds a site and returns its number. */
type MakeSite = (name: string, token: Token) => number

/** The longest chain, in characters, that is rewritten: its text is written more than once. */
const longestChain = 400

class TagWriter {
  readonly #source: string
  readonly #tokens: readonly Token[]
  readonly #ownFilters: ReadonlySet<string>
  readonly #ownTests: ReadonlySet<string>
  readonly #site: MakeSite
  readonly #spelling: Spelling

  constructor(source: string, tokens: readonly Token[], site: MakeSite, context: StrictContext) {
    this.#source = source
    this.#tokens = tokens
    this.#site = site
    this.#ownFilters = context.ownFilters
    this.#ownTests = context.ownTests
    this.#spelling = context.spelling
  }

  /** Rewrites the tokens from `from` to `to`, and keeps everything between them. */
  write(from: number, to: number): string {
    let text = ''
    let copied = this.#tokens[from]?.start ?? 0
    for (let at = from; at < to; ) {
      const token = this.#tokens[at]
      if (!token) break
      const change = this.#changeAt(at, { from, to })
      if (change) {
        text += this.#source.slice(copied, token.start) + change.text
        copied = this.#tokens[change.end - 1]?.end ?? token.end
      }
      at = change?.end ?? at + 1
    }
    return text + this.#source.slice(copied, this.#tokens[to - 1]?.end ?? copied)
  }

  /** What replaces the tokens from `at` on; undefined when the token there stays as it is. */
  #changeAt(at: number, span: Span): Change | undefined {
    const token = this.#tokens[at]
    if (token && this.#isOwn(at)) return this.#markFilter(at, token)
    if (!this.#readsVariable(at)) return undefined
    const chain = this.#chainAt(at, span.to)
    if (this.#spelling === 'fast' && this.#engineNotices(at, chain, span)) return undefined
    const text = this.#writeChain(at, chain)
    return text === undefined ? undefined : { text, end: chain.end }
  }

  /** Gives one of our own filters or tests its site as the first argument. */
  #markFilter(at: number, token: Token): Change {
    const names = this.#hasNamedArguments(at + 1) ? namesMark : ''
    const mark = `'${siteMark}${this.#site(token.text, token)}${names}'`
    if (this.#text(at + 1) !== '(') return { text: `${token.text}(${mark})`, end: at + 1 }
    const separator = this.#text(at + 2) === ')' ? '' : ','
    return { text: `${token.text}(${mark}${separator}`, end: at + 2 }
  }

  #hasNamedArguments(open: number): boolean {
    const close = this.#text(open) === '(' ? this.#closing(open, this.#tokens.length) : undefined
    for (let at = open + 1, depth = 0; at < (close ?? 0); at++) {
      if (depth === 0 && this.#text(at) === '=') return true
      if (this.#tokens[at]?.kind !== 'operator') continue
      if ('([{'.includes(this.#text(at))) depth++
      if (')]}'.includes(this.#text(at))) depth--
    }
    return false
  }

  /** Whether the chain is all of a tag, where the engine itself notices an undefined value. */
  #engineNotices(at: number, chain: Chain, { from, to }: Span): boolean {
    return at === from && chain.end === to && this.#isWhole(from, to)
  }

  #text(at: number): string {
    return this.#tokens[at]?.text ?? ''
  }

  #isOwn(at: number): boolean {
    const before = this.#text(at - 1)
    if (before === '|') return this.#ownFilters.has(this.#text(at))
    const tested = before === 'is' || (before === 'not' && this.#text(at - 2) === 'is')
    return tested && this.#ownTests.has(this.#text(at))
  }

  /** Whether the token is a variable, and not a keyword, attribute, filter, test or argument name. */
  #readsVariable(at: number): boolean {
    const token = this.#tokens[at]
    if (token?.kind !== 'name' || keywords.has(token.text) || token.text === 'self') return false
    const before = this.#text(at - 1)
    if (before === '.' || before === '|' || before === 'is') return false
    if (before === 'not' && this.#text(at - 2) === 'is') return false
    return this.#text(at + 1) !== '='
  }

  /** The name at `at` with all `.name`, `.0` and `[...]` behind it. */
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
    // In `guest.name.lower()` a method of `guest.name` is called.
    if (this.#text(end) === '(' && joints.length > 1 && this.#text(end - 2) === '.') {
      joints.pop()
      end -= 2
    }
    return { end, joints }
  }

  /** Whether `from` to `to` is everything between the delimiters of the tag, or everything after `if`. */
  #isWhole(from: number, to: number): boolean {
    const tag = from === 1 ? this.#text(0) : ''
    return to === this.#tokens.length && (from === 0 || tag === 'if' || tag === 'elif')
  }

  /** The index of the bracket that closes the one at `open`. */
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

  /**
   * The text that replaces a chain. Undefined when the chain stays as it is, such as a call: the engine
   * checks it, and names the function in its message.
   */
  #writeChain(at: number, chain: Chain): string | undefined {
    const token = this.#tokens[at]
    if (!token) return undefined
    if (this.#text(chain.end) === '(') return undefined
    const plain = this.#between(at, chain.end)
    if (plain.length > longestChain) return undefined
    if (this.#isGuarded(chain.end)) return this.#lenient(at, chain)
    const site = this.#site(plain.replaceAll(/\s+/g, ' '), token)
    const tested = this.#spelling === 'explain' ? this.#lenient(at, chain) : plain
    return `(${plain} if ${tested} is defined else ('${site}'|${undefinedFilter}).x.x)`
  }

  /**
   * The chain with `default({})` behind each part. Text in brackets is rewritten once, so the chain grows
   * little.
   */
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

  /** Whether the filter or test that follows handles undefined values itself. */
  #isGuarded(at: number): boolean {
    const name = this.#text(at + 1)
    if (this.#text(at) === '|') return name === 'default' || name === 'd'
    if (this.#text(at) !== 'is') return false
    const test = name === 'not' ? this.#text(at + 2) : name
    return test === 'defined' || test === 'undefined'
  }
}
