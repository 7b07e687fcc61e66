/**
 * Cuts a template into text and Jinja tags, and tags into tokens. The engine has its own parser; this one is for
 * what the engine does not tell us: where variables are read (strict.ts) and what looks like a mistake (lint.ts).
 * It accepts anything: what the engine would refuse comes out as an unclosed tag or as odd tokens.
 */
export interface Token {
  readonly kind: 'name' | 'string' | 'number' | 'operator'
  readonly text: string
  /** Offset in the source; the end is exclusive. */
  readonly start: number
  readonly end: number
}

export interface Segment {
  /** `output` is `{{ }}`, `tag` is `{% %}`, `comment` is `{# #}`; `raw` is what lies between raw and endraw. */
  readonly kind: 'text' | 'output' | 'tag' | 'comment' | 'raw'
  readonly start: number
  readonly end: number
  /** Line of its first character, from 1. */
  readonly line: number
  readonly closed: boolean
  /** Of `output` and `tag`; otherwise empty. */
  readonly tokens: readonly Token[]
}

const tokenPattern =
  /\s+|([A-Za-z_]\w*)|(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|("(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*')|(\/\/|\*\*|==|!=|<=|>=|[\s\S])/y

export function scanTemplate(source: string): readonly Segment[] {
  const segments: Segment[] = []
  const lines = new LineCounter(source)
  let at = 0
  const add = (kind: Segment['kind'], end: number, closed = true, tokens: readonly Token[] = []): void => {
    if (end > at || kind !== 'text')
      segments.push({ kind, start: at, end, line: lines.at(at), closed, tokens })
    at = end
  }
  for (const opener of openers(source)) {
    if (opener < at) continue
    add('text', opener)
    const kind = source[opener + 1]
    if (kind === '#') {
      const close = source.indexOf('#}', opener + 2)
      add('comment', close < 0 ? source.length : close + 2, close >= 0)
      continue
    }
    const tag = scanTag(source, opener, kind === '{' ? '}}' : '%}')
    add(kind === '{' ? 'output' : 'tag', tag.end, tag.closed, tag.tokens)
    if (kind === '%' && tag.tokens.length === 1 && tag.tokens[0]?.text === 'raw') {
      const rest = /\{%[-+]?\s*endraw\s*[-+]?%\}/g
      rest.lastIndex = at
      add('raw', rest.exec(source)?.index ?? source.length)
    }
  }
  add('text', source.length)
  return segments
}

function* openers(source: string): Generator<number> {
  for (const match of source.matchAll(/\{[{%#]/g)) yield match.index
}

function scanTag(
  source: string,
  opener: number,
  closer: string,
): { end: number; closed: boolean; tokens: readonly Token[] } {
  const tokens: Token[] = []
  let depth = 0
  let at = opener + 2
  if (source[at] === '-' || source[at] === '+') at++
  while (at < source.length) {
    // A dict may close right before the tag does: `{{ {"a": {}} }}`. Braces that are open own their `}`.
    if (depth === 0 && source.startsWith(closer, at)) return { end: at + 2, closed: true, tokens }
    if (depth === 0 && /[-+]/.test(source[at] ?? '') && source.startsWith(closer, at + 1))
      return { end: at + 3, closed: true, tokens }
    tokenPattern.lastIndex = at
    const match = tokenPattern.exec(source)
    if (!match) break
    const text = match[0]
    const kind = match[1]
      ? 'name'
      : match[2]
        ? 'number'
        : match[3]
          ? 'string'
          : match[4]
            ? 'operator'
            : undefined
    if (kind) tokens.push({ kind, text, start: at, end: at + text.length })
    if (kind === 'operator' && '([{'.includes(text)) depth++
    if (kind === 'operator' && ')]}'.includes(text)) depth = Math.max(0, depth - 1)
    at += text.length
  }
  return { end: source.length, closed: false, tokens }
}

/** Line numbers for growing offsets, in one pass over the text. */
export class LineCounter {
  readonly #source: string
  #line = 1
  #next: number

  constructor(source: string) {
    this.#source = source
    this.#next = source.indexOf('\n')
  }

  /** @param offset not smaller than in the call before. */
  at(offset: number): number {
    while (this.#next >= 0 && this.#next < offset) {
      this.#line++
      this.#next = this.#source.indexOf('\n', this.#next + 1)
    }
    return this.#line
  }
}
