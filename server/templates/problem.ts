/** A mistake or a trap in a template, for its author. */
export interface TemplateProblem {
  /** Path below the templates folder. */
  readonly template: string
  /** From 1. */
  readonly line: number
  /** `error`: it does not render. `warning`: it renders, probably not as meant. `hint`: there is a better way. */
  readonly severity: 'error' | 'warning' | 'hint'
  readonly message: string
  readonly remedy?: string
}

/** What parses templates: the renderer, whose engine refuses them. */
export interface TemplateChecker {
  check(templates: ReadonlyMap<string, string>): Promise<readonly TemplateProblem[]>
}

/** One line for a log, a terminal, an installer's screen. */
export function problemText(problem: TemplateProblem): string {
  const remedy = problem.remedy === undefined ? '' : ` (${problem.remedy})`
  return `${problem.template}:${problem.line}: ${problem.message}${remedy}`
}
