/** Something about a template that its author should know. */
export interface TemplateProblem {
  /** Path below the templates folder. */
  readonly template: string
  /** From 1. */
  readonly line: number
  /** `error`: it does not render. `warning`: it renders, and probably not as meant. `hint`: a better way exists. */
  readonly severity: 'error' | 'warning' | 'hint'
  readonly message: string
  readonly remedy?: string
}

/** One line for a log, a terminal, an installer's screen. */
export function problemText(problem: TemplateProblem): string {
  const remedy = problem.remedy === undefined ? '' : ` (${problem.remedy})`
  return `${problem.template}:${problem.line}: ${problem.message}${remedy}`
}
