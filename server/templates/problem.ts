/** A mistake or a pitfall in a template, reported to its author. */
export interface TemplateProblem {
  /** Path below the templates folder. */
  readonly template: string
  /** The first line is 1. */
  readonly line: number
  /**
   * `error`: does not render. `warning`: renders, but probably not as intended. `hint`: there is a better
   * way.
   */
  readonly severity: 'error' | 'warning' | 'hint'
  readonly message: string
  readonly remedy?: string
  /**
   * Of a template that ended its worker, and is not run meanwhile: when it is run again, in ms since 1970. A change of a
   * template ends the pause.
   */
  readonly againMs?: number
}

/** The part of the renderer that only parses templates. */
export interface TemplateChecker {
  check(templates: ReadonlyMap<string, string>): Promise<readonly TemplateProblem[]>
}

/** The problem in one line, for a log, a terminal or the screen of an installer. */
export function problemText(problem: TemplateProblem): string {
  const remedy = problem.remedy === undefined ? '' : ` (${problem.remedy})`
  return `${problem.template}:${problem.line}: ${problem.message}${remedy}${againText(problem)}`
}

/** When a template is run again, as the end of a sentence: `; tried again at 17:46 UTC, ...`. '' for other problems. */
export function againText({ againMs }: Pick<TemplateProblem, 'againMs'>): string {
  if (againMs === undefined) return ''
  // Never earlier than it is true.
  const minute = new Date(Math.ceil(againMs / 60_000) * 60_000).toISOString().slice(11, 16)
  return `; tried again at ${minute} UTC, or when a template is changed`
}
