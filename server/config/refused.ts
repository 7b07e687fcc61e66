import { failureMessage } from '../core/failure.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { ConfigError } from './problems.ts'

/** A configuration that has errors, while an earlier one is in force. */
export interface RefusedConfig {
  /** One line that says so. */
  readonly summary: string
  /** The summary and all errors. */
  readonly problems: readonly SnapshotProblem[]
  /** The summary and all errors, one to a line. */
  readonly message: string
}

/** @param savedMs When the configuration in force was read, if an earlier process did that. */
export function refusedConfig(shownName: string, error: unknown, savedMs?: number): RefusedConfig {
  const of = savedMs === undefined ? '' : ` of ${new Date(savedMs).toISOString()}`
  const summary = `${shownName} cannot be used, and the last good configuration${of} stays in force`
  const problems: readonly SnapshotProblem[] =
    error instanceof ConfigError
      ? error.problems
      : [{ severity: 'error', where: shownName, message: failureMessage(error) }]
  const first: SnapshotProblem = {
    severity: 'error',
    where: shownName,
    message: `this file is refused: the last good configuration${of} is in force`,
    remedy: 'correct what follows; it is read again when it is saved',
  }
  return { summary, problems: [first, ...problems], message: `${summary}:\n${failureMessage(error)}` }
}
