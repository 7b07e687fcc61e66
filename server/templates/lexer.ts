/**
 * Cuts a template into text and Jinja tags, and tags into tokens. The engine has a parser of its own, which
 * tells neither where variables are read (strict.ts needs that) nor what looks like a mistake (lint.ts). This
 * lexer accepts any text: what the engine would refuse becomes an unclosed tag or odd tokens.
 */

export interface Token {
  readonly kind: 'name' | 'string' | 'number' | 'operator'
  readonly text: string
  /** Offset in the source; the end is exclusive. */
  readonly start: number
  readonly end: number
}

export interface Segment {
  /**
   * `output` is `{{ }}`, `tag` is `{% %}`, `comment` is `{# #}`; `raw` is the text between raw and endraw.
   */
  readonly kind: 'text' | 'output' | 'tag' | 'comment' | 'raw'
  readonly start: number
  readonly end: number
  /** Line of its first character, from 1. */
  readonly line: number
  readonly closed: boolean
  /** The tokens of `output` and `tag`; empty for all others. */
  readonly tokens: readonly Token[]
}

const tokenPattern =
  /\s+|([A-Za-z_]\w*)|(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|("(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*')|(\/\/|\*\*|==|!=|<=|>=|[\s\S])/y

export function scanTemplate(source: string): readonly Segment[] {
  const segments: Segment[] = []
  const lines = new LineCounter(source)
  let at = 0
  const add = (kind: Segment['kind'], { end, closed, tokens }: Part): void => {
    if (end > at || kind !== 'text')
      segments.push({ kind, start: at, end, line: lines.at(at), closed, tokens })
    at = end
  }
  for (const { index: opener } of source.matchAll(/\{[{%#]/g)) {
    if (opener < at) continue
    add('text', plainPart(opener))
    const kind = source[opener + 1]
    if (kind === '#') add('comment', scanComment(source, opener))
    else if (kind === '{') add('output', scanTag(source, opener, '}}'))
    else {
      const tag = scanTag(source, opener, '%}')
      add('tag', tag)
      if (isRaw(tag)) add('raw', plainPart(endOfRaw(source, at)))
    }
  }
  add('text', plainPart(source.length))
  return segments
}

/** A part of the source that begins where the last one ended. */
type Part = Pick<Segment, 'end' | 'closed' | 'tokens'>

function plainPart(end: number): Part {
  return { end, closed: true, tokens: [] }
}

function scanComment(source: string, opener: number): Part {
  const close = source.indexOf('#}', opener + 2)
  return { end: close < 0 ? source.length : close + 2, closed: close >= 0, tokens: [] }
}

function isRaw({ tokens }: Part): boolean {
  return tokens.length === 1 && tokens[0]?.text === 'raw'
}

function endOfRaw(source: string, from: number): number {
  const end = /\{%[-+]?\s*endraw\s*[-+]?%\}/g
  end.lastIndex = from
  return end.exec(source)?.index ?? source.length
}

/**
 * Cuts a tag into tokens, up to its closer. A `}` that closes a bracket does not count as closer: in
 * `{{ {"a": {}} }}` a dict ends right before the tag.
 */
function scanTag(source: string, opener: number, closer: string): Part {
  const tokens: Token[] = []
  let depth = 0
  let at = opener + 2
  if (isTrim(source[at])) at++
  while (at < source.length) {
    const end = depth === 0 ? closerEnd(source, at, closer) : undefined
    if (end !== undefined) return { end, closed: true, tokens }
    tokenPattern.lastIndex = at
    const match = tokenPattern.exec(source)
    if (!match) break
    const [text] = match
    const kind = kindOf(match)
    if (kind) tokens.push({ kind, text, start: at, end: at + text.length })
    if (kind === 'operator') depth = Math.max(0, depth + bracketStep(text))
    at += text.length
  }
  return { end: source.length, closed: false, tokens }
}

/** `-` and `+` beside a brace tell the engine how to treat blanks around the tag. */
function isTrim(character: string | undefined): boolean {
  return character === '-' || character === '+'
}

/** The end of the closer, if it begins at `at`, with or without a trim sign. Otherwise undefined. */
function closerEnd(source: string, at: number, closer: string): number | undefined {
  const start = isTrim(source[at]) ? at + 1 : at
  return source.startsWith(closer, start) ? start + closer.length : undefined
}

/** The kind of the token that `tokenPattern` matched. Undefined for blanks. */
function kindOf([, name, number, string, operator]: RegExpExecArray): Token['kind'] | undefined {
  if (name) return 'name'
  if (number) return 'number'
  if (string) return 'string'
  return operator ? 'operator' : undefined
}

/** How the operator changes the depth of brackets. Operators of two characters contain no bracket. */
function bracketStep(operator: string): -1 | 0 | 1 {
  if ('([{'.includes(operator)) return 1
  return ')]}'.includes(operator) ? -1 : 0
}

/** Finds line numbers for growing offsets in one pass over the text. */
export class LineCounter {
  readonly #source: string
  #line = 1
  #next: number

  constructor(source: string) {
    this.#source = source
    this.#next = source.indexOf('\n')
  }

  /** The line of an offset, from 1. The offset must not be lower than in the previous call. */
  at(offset: number): number {
    while (this.#next >= 0 && this.#next < offset) {
      this.#line++
      this.#next = this.#source.indexOf('\n', this.#next + 1)
    }
    return this.#line
  }
}
