import { definitionOf } from '../config/definition-files.ts'
import { type FilesChange, loadConfigFile } from '../config/last-good.ts'
import { ConfigError, problemLine } from '../config/problems.ts'
import type { ConfigPlace } from '../config/texts.ts'
import type { SnapshotProblem } from '../core/problem.ts'

/**
 * @param changing The files that change, as messages name them.
 * @throws ConfigError with the errors that a change of definition files would add.
 */
export async function requireNoNewError(
  place: ConfigPlace,
  changing: ReadonlySet<string>,
  change: FilesChange,
): Promise<void> {
  const after = await loadConfigFile(place, change).then(
    ({ problems }) => problems,
    (error: unknown) => {
      if (error instanceof ConfigError) return error.problems
      throw error
    },
  )
  // The line at a file as a whole only says what becomes of it.
  const errors = errorsIn(after).filter((problem) => definitionOf(problem.where) === undefined)
  if (errors.length === 0) return
  const before = errorsIn((await loadConfigFile(place)).problems)
  const known = new Set(before.map((problem) => keyOf(problem, changing)))
  const added = errors.filter((problem) => !known.has(keyOf(problem, changing)))
  if (added.length > 0) throw new ConfigError(added)
}

function errorsIn(problems: readonly SnapshotProblem[]): SnapshotProblem[] {
  return problems.filter(({ severity }) => severity === 'error')
}

/** In a file that changes, a problem that was there before may stand on another line. */
function keyOf(problem: SnapshotProblem, changing: ReadonlySet<string>): string {
  return changing.has(problem.where.replace(/:\d+:\d+$/, '')) ? problem.message : problemLine(problem)
}
