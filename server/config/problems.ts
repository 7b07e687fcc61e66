import type { z } from 'zod'
import { Failure } from '../core/failure.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { nearestName } from '../core/select/nearest.ts'
import type { TextPosition, YamlMapping, YamlPath, YamlText, YamlValue } from './yaml.ts'

/** Why a file of the configuration cannot be read, and what to do. */
export function whyUnreadable({ code }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
      return 'there is no such file, or it is a link that leads nowhere; make it, or take the link away'
    case 'EISDIR':
      return 'is a folder; name the file in it, such as config.yaml'
    case 'ENOTDIR':
      return 'a part of its path is no folder'
    case 'EACCES':
      return 'this user may not read it; change its mode or owner, or run treeboot as another user'
    default:
      return `cannot be read: ${code}`
  }
}

/** Everything that is wrong with a configuration, at once. */
export class ConfigError extends Failure {
  /** In the order of their lines. */
  readonly problems: readonly SnapshotProblem[]

  constructor(problems: readonly SnapshotProblem[], options?: { cause?: unknown }) {
    super('invalid-data', problems.map(problemLine).join('\n'), options)
    this.problems = problems
  }
}

/** `config.yaml:3:9 http.port: found 70000, expected a port from 0 to 65535, or auto` */
export function problemLine(problem: SnapshotProblem): string {
  return `${problem.where} ${problem.message}${problem.remedy === undefined ? '' : `; ${problem.remedy}`}`
}

/** Collects problems of a configuration, in whatever order they are found. */
export class ProblemList {
  readonly #fileName: string
  readonly #seen = new Set<string>()
  readonly #found: { at: TextPosition; problem: SnapshotProblem }[] = []

  constructor(fileName: string) {
    this.#fileName = fileName
  }

  add(severity: SnapshotProblem['severity'], at: TextPosition, message: string, remedy?: string): void {
    const where = `${at.file ?? this.#fileName}:${at.line}:${at.column}`
    const problem = { severity, where, message, ...(remedy !== undefined && { remedy }) }
    if (this.#seen.has(`${where} ${message}`)) return
    this.#seen.add(`${where} ${message}`)
    this.#found.push({ at, problem })
  }

  /** Sorted by file and place in it. */
  of(severity: SnapshotProblem['severity']): SnapshotProblem[] {
    return this.#found
      .filter(({ problem }) => problem.severity === severity)
      .sort((a, b) => byFile(a.at, b.at) || a.at.line - b.at.line || a.at.column - b.at.column)
      .map(({ problem }) => problem)
  }
}

/** The configuration itself first, then the files beside it. */
function byFile({ file: a = '' }: TextPosition, { file: b = '' }: TextPosition): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** What the schema refused, with the place of each. Gives the paths of the refused values. */
export function reportIssues(
  issues: readonly z.core.$ZodIssue[],
  text: YamlText,
  problems: ProblemList,
): YamlPath[] {
  return withoutEchoes(issues).flatMap((issue) => reportIssue(issue, [], text, problems))
}

function reportIssue(
  issue: z.core.$ZodIssue,
  base: YamlPath,
  text: YamlText,
  problems: ProblemList,
): YamlPath[] {
  const path = [...base, ...(issue.path as YamlPath)]
  if (issue.code === 'unrecognized_keys') {
    const remedies = issue.message.split('\n')
    return issue.keys.map((key, i) => {
      const keyPath = [...path, key]
      problems.add('error', text.position(keyPath, 'key'), `${showPath(keyPath)}: unknown key`, remedies[i])
      return keyPath
    })
  }
  if (issue.code === 'invalid_key') {
    const expected = issue.issues[0]?.message ?? issue.message
    problems.add('error', text.position(path, 'key'), `${showPath(path)}: expected ${expected}`)
    return [path]
  }
  if (issue.code === 'invalid_union') {
    const inner = issue.errors.find((branch) => branch.length > 0 && branch.every(isAboutContent))
    if (inner) return withoutEchoes(inner).flatMap((nested) => reportIssue(nested, path, text, problems))
  }
  const found = valueAt(text.value, path)
  problems.add(
    'error',
    text.position(path, 'value'),
    `${path.length === 0 ? '' : `${showPath(path)}: `}found ${showValue(found)}, expected ${issue.message}`,
    remedyFor(issue, found),
  )
  return [path]
}

function remedyFor(issue: z.core.$ZodIssue, found: YamlValue | undefined): string | undefined {
  if (typeof found !== 'string') return undefined
  if (wantsNumber(issue) && /^\d{1,15}$/.test(found)) return `write it as ${Number(found)}`
  const nearest = issue.code === 'invalid_value' ? nearestName(found, issue.values.map(String)) : undefined
  return nearest === undefined ? undefined : `did you mean '${nearest}'?`
}

function wantsNumber(issue: z.core.$ZodIssue): boolean {
  if (issue.code === 'invalid_union') return issue.errors.some((branch) => branch.some(wantsNumber))
  return issue.code === 'invalid_type' && ['number', 'int'].includes(issue.expected)
}

/** Whether a branch of a union fitted by its type and failed further in: then that is what the operator meant. */
function isAboutContent(issue: z.core.$ZodIssue): boolean {
  return issue.path.length > 0 || issue.code === 'unrecognized_keys' || issue.code === 'custom'
}

/** What a mapping lacks as a whole is no news beside its mistyped keys. */
function withoutEchoes(issues: readonly z.core.$ZodIssue[]): readonly z.core.$ZodIssue[] {
  const mistyped = new Set(
    issues.filter(({ code }) => code === 'unrecognized_keys').map(({ path }) => JSON.stringify(path)),
  )
  return issues.filter(({ code, path }) => code !== 'custom' || !mistyped.has(JSON.stringify(path)))
}

export function showPath(path: YamlPath): string {
  return path
    .map((step, i) => {
      if (typeof step === 'number') return `[${step}]`
      const shown = /^\w[\w.-]{0,99}$/.test(step) ? step : clip(JSON.stringify(step))
      return i === 0 ? shown : `.${shown}`
    })
    .join('')
}

export function showValue(value: YamlValue | undefined): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  if (typeof value !== 'string') return String(value)
  return clip(`'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"')}'`)
}

function clip(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 76)}...${text.slice(-1)}`
}

function valueAt(root: YamlValue, path: YamlPath): YamlValue | undefined {
  let here: YamlValue | undefined = root
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined
    here = (here as YamlMapping)[step]
  }
  return here
}
