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
}

/** The part of the renderer that only parses templates. */
export interface TemplateChecker {
  check(templates: ReadonlyMap<string, string>): Promise<readonly TemplateProblem[]>
}

/** The problem in one line, for a log, a terminal or the screen of an installer. */
export function problemText(problem: TemplateProblem): string {
  const remedy = problem.remedy === undefined ? '' : ` (${problem.remedy})`
  return `${problem.template}:${problem.line}: ${problem.message}${remedy}`
}
