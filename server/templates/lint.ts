import { defined } from '../core/defined.ts'
import { calledName } from './calls.ts'
import { absentFilters, engineFilterNames } from './filters/signatures.ts'
import { ownFilterNames } from './filters/table.ts'
import { includeOf } from './includes.ts'
import { LineCounter, type Segment, scanTemplate } from './lexer.ts'
import type { TemplateChecker, TemplateProblem } from './problem.ts'

/**
 * Finds the problems of a set of templates, sorted by template and line: errors of the engine and likely
 * mistakes. Notes for people (`README.md`) lie in the same folder. These notes quote tags, so their problems
 * are left out.
 */
export async function lintTemplates(
  templates: ReadonlyMap<string, string>,
  checker: TemplateChecker,
): Promise<readonly TemplateProblem[]> {
  const broken = await checker.check(templates)
  const all = [...broken, ...[...templates.keys()].flatMap((name) => lintTemplate(name, templates))]
  const ofTemplates = all.filter(({ template }) => !template.endsWith('.md'))
  return ofTemplates.toSorted((a, b) => compare(a.template, b.template) || a.line - b.line)
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** Adds a problem at an offset of the source. */
type Report = (
  offset: number,
  severity: TemplateProblem['severity'],
  message: string,
  remedy?: string,
) => void

/** The problems that one template shows without being rendered. */
export function lintTemplate(
  name: string,
  templates: ReadonlyMap<string, string>,
): readonly TemplateProblem[] {
  const source = templates.get(name) ?? ''
  const found: (Omit<TemplateProblem, 'line' | 'template'> & { offset: number })[] = []
  const report: Report = (offset, severity, message, remedy) =>
    found.push(defined({ offset, severity, message, remedy }))
  const segments = scanTemplate(source)
  for (const segment of segments) {
    if (segment.kind === 'comment') lintComment(source, segment, report)
    else if (segment.kind === 'text') lintText(source, segment, report)
    else if (segment.kind !== 'raw') {
      lintIncludes(segment, templates, report)
      lintFilters(segment, report)
    }
  }
  lintLines(source, report)
  const lines = new LineCounter(source)
  return found
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ offset, ...problem }) => ({ template: name, line: lines.at(offset), ...problem }))
}

/**
 * `${#x}`, the length of a variable in bash, opens a template comment that swallows everything up to the next
 * `#}`.
 */
function lintComment(source: string, comment: Segment, report: Report): void {
  if (source[comment.start - 1] !== '$') return
  const swallowed = comment.closed ? 'up to the next #}' : 'and it never ends'
  report(
    comment.start - 1,
    'warning',
    `\${# opens a template comment here, ${swallowed}; bash will not see it`,
    `put {% raw %} before and {% endraw %} after the line, or write \${{ '#' }}`,
  )
}

/** The syntax of Cobbler's templates. `# if ...` with a blank after the sign is an English comment. */
const cheetah: readonly { pattern: RegExp; what: string; remedy: string }[] = [
  {
    pattern:
      /^[ \t]*#(?:if|elif|else if|else|end if|for|end for|set|raw|end raw|import|include|def|attr)\b.*$/gm,
    what: 'a directive of Cobbler (Cheetah)',
    remedy: 'write {% if %}, {% for %}, {% set %}, {% include %}',
  },
  {
    pattern: /\$\{?SNIPPET(?:::|\()[^\n]*/g,
    what: 'a snippet of Cobbler',
    remedy: "write {% include 'snippets/...' %}",
  },
  {
    pattern:
      /\$(?:getVar\(|yum_repo_stanza|yum_config_stanza|kickstart_(?:start|done)|tree\b|default_password_crypted)/g,
    what: 'a variable of Cobbler (Cheetah)',
    remedy: 'write {{ name }}; README.md in the templates folder lists the names',
  },
]

function lintText(source: string, text: Segment, report: Report): void {
  const body = source.slice(text.start, text.end)
  for (const { pattern, what, remedy } of cheetah)
    for (const match of body.matchAll(pattern)) {
      const shown = match[0].trim().slice(0, 60)
      report(
        text.start + match.index,
        'hint',
        `${shown} looks like ${what}, which is plain text here`,
        remedy,
      )
    }
}

function lintIncludes(segment: Segment, templates: ReadonlyMap<string, string>, report: Report): void {
  const included = includeOf(segment)
  if (!included || included.optional || templates.has(included.name)) return
  report(
    segment.start,
    'error',
    `there is no template ${included.name} to include`,
    'names are paths below the templates folder',
  )
}

function lintFilters(segment: Segment, report: Report): void {
  segment.tokens.forEach((token, i) => {
    const named = segment.tokens[i - 1]?.text === '|' ? calledName(segment.tokens, i)?.token.text : undefined
    // Such a template does not load: the engine has reported it.
    if (named === undefined || absentFilters[named] !== undefined) return
    if (engineFilterNames.has(named) || ownFilterNames.has(named)) return
    report(
      token.start,
      'error',
      `there is no filter ${named}`,
      'README.md in the templates folder lists all filters',
    )
  })
}

function lintLines(source: string, report: Report): void {
  const cr = source.indexOf('\r\n')
  if (cr >= 0)
    report(
      cr,
      'warning',
      'lines end in CR LF; shells in %pre and %post fail on the CR',
      'save the file with Unix line ends',
    )
  if (source.startsWith('\ufeff'))
    report(0, 'warning', 'the file begins with a byte order mark', 'save it without the mark')
  // pykickstart and preseed treat a tab like a blank, YAML refuses it.
  const tab = /^ *\t/m.exec(source)
  if (tab && source.trimStart().startsWith('#cloud-config'))
    report(tab.index, 'warning', 'a tab begins this line; YAML refuses it', 'indent with blanks')
}
