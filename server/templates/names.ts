import { includeOf, withIncludes } from './includes.ts'
import { type Segment, scanTemplate, type Token } from './lexer.ts'

/**
 * Every name that a template and its snippets may read as a variable, keys of `vars['...']` included. It holds too many
 * names (filters, keywords) and none too few. Undefined when the names cannot be told: a snippet is included by a
 * computed name, or `vars` is read as a whole.
 */
export function namesReadBy(
  template: string,
  templates: ReadonlyMap<string, string>,
): ReadonlySet<string> | undefined {
  const names = new Set<string>()
  for (const each of withIncludes(template, templates))
    for (const segment of scanTemplate(templates.get(each) ?? '')) {
      if (mayReadAny(segment)) return undefined
      for (const name of namesIn(segment)) names.add(name)
    }
  return names
}

function namesIn({ tokens }: Segment): string[] {
  return tokens.flatMap(({ kind, text }) => {
    if (kind === 'name') return [text]
    return kind === 'string' ? [text.slice(1, -1)] : []
  })
}

function mayReadAny(segment: Segment): boolean {
  const isLoading = segment.kind === 'tag' && loads(segment.tokens[0])
  const isComputed = isLoading && (!includeOf(segment) || segment.tokens.some(({ text }) => text === '~'))
  return isComputed || readsAllVars(segment.tokens)
}

function loads(tag: Token | undefined): boolean {
  return ['include', 'extends', 'import', 'from'].includes(tag?.text ?? '')
}

/** `vars.name`, `vars['name']` and `vars.get('name')` name what they read; everything else may read any. */
function readsAllVars(tokens: readonly Token[]): boolean {
  return tokens.some(({ kind, text }, i) => {
    if (kind !== 'name' || text !== 'vars' || tokens[i - 1]?.text === '.') return false
    const [next, then] = [tokens[i + 1], tokens[i + 2]]
    if (next?.text === '[') return then?.kind !== 'string'
    const isMethod = tokens[i + 3]?.text === '(' && tokens[i + 4]?.kind !== 'string'
    return next?.text !== '.' || isMethod
  })
}
