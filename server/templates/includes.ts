import { type Segment, scanTemplate } from './lexer.ts'

/** A place that names another template, such as `{% include 'snippets/disk' %}`. */
export interface Include {
  readonly name: string
  /** Of its tag; the first line is 1. */
  readonly line: number
  /** Where the name stands in the source, without its quotes; the end is exclusive. */
  readonly start: number
  readonly end: number
}

/** The templates that a template names by a literal: each time it does so. A computed name tells nothing. */
export function includesIn(source: string): Include[] {
  return scanTemplate(source).flatMap((segment) => {
    const included = includeOf(segment)
    const token = segment.tokens[1]
    if (!included || !token) return []
    return [{ name: included.name, line: segment.line, start: token.start + 1, end: token.end - 1 }]
  })
}

/** The name in `{% include 'x' %}` and the other tags that load a template, if it is a literal. */
export function includeOf(segment: Segment): { name: string; optional: boolean } | undefined {
  const [tag, nameToken] = segment.tokens
  if (segment.kind !== 'tag' || !tag || nameToken?.kind !== 'string') return undefined
  if (!['include', 'extends', 'import', 'from'].includes(tag.text)) return undefined
  return {
    name: nameToken.text.slice(1, -1),
    optional: segment.tokens.some((token) => token.text === 'ignore'),
  }
}

/** The names of a template and of all templates that it includes by literal names, each once. */
export function withIncludes(name: string, templates: ReadonlyMap<string, string>): readonly string[] {
  const found = new Set<string>()
  const visit = (each: string): void => {
    const source = templates.get(each)
    if (source === undefined || found.has(each)) return
    found.add(each)
    for (const segment of scanTemplate(source)) {
      const included = includeOf(segment)
      if (included) visit(included.name)
    }
  }
  visit(name)
  return [...found]
}
