import { type DefinitionFile, type DefinitionKind, definitionKinds } from '../config/definition-files.ts'
import type { LoadedConfig } from '../config/load.ts'
import { ConfigError, problemLine } from '../config/problems.ts'
import type { YamlMapping } from '../config/yaml.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { changeYaml } from './change-yaml.ts'

/** The files of new definitions, as they would be written. */
export function newFiles(kind: DefinitionKind, wanted: ReadonlyMap<string, YamlMapping>): DefinitionFile[] {
  const { folder } = definitionKinds[kind]
  return [...wanted].map(([name, data]) => ({
    kind,
    name,
    shownName: `${folder}/${name}.yaml`,
    text: changeYaml('', data),
  }))
}

/** Each round leaves out one file at least that the rounds before thought right; the first finds all as a rule. */
const mostRounds = 5

/**
 * Which of the new files are right beside each other and beside all that is there, and what is wrong with the others.
 *
 * @param load Reads the whole configuration with some of them.
 * @throws ConfigError when what they add is an error elsewhere, so that none of them can be blamed.
 */
export async function rightOf(
  files: readonly DefinitionFile[],
  load: (files: readonly DefinitionFile[]) => Promise<LoadedConfig>,
): Promise<{
  readonly right: readonly DefinitionFile[]
  readonly faulty: ReadonlyMap<string, readonly SnapshotProblem[]>
}> {
  const known = new Set((await load([])).problems.map(problemLine))
  const faulty = new Map<string, SnapshotProblem[]>()
  let right = files
  for (let round = 1; ; round++) {
    const added = (await problemsOf(load(right))).filter((problem) => !known.has(problemLine(problem)))
    const errors = added.filter(({ severity }) => severity === 'error')
    if (errors.length === 0) return { right, faulty }
    const byFile = new Map(right.map((file) => [file.shownName, file.name]))
    const before = faulty.size
    for (const error of errors) {
      const name = byFile.get(error.where.replace(/:\d+:\d+$/, ''))
      // The line at a file as a whole only says what becomes of it.
      if (name === undefined || byFile.has(error.where)) continue
      faulty.set(name, [...(faulty.get(name) ?? []), error])
    }
    if (faulty.size === before || round === mostRounds) throw new ConfigError(errors)
    right = right.filter(({ name }) => !faulty.has(name))
  }
}

async function problemsOf(loading: Promise<LoadedConfig>): Promise<readonly SnapshotProblem[]> {
  try {
    return (await loading).problems
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}
