import type { z } from 'zod'
import { starred } from '../core/access/starred.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import type { RefusedValue, SnapshotProblem } from '../core/problem.ts'
import { nearestName } from '../core/select/nearest.ts'
import type { TextPosition, YamlMapping, YamlPath, YamlText, YamlValue } from './yaml.ts'

/** Why a file of the configuration cannot be read, with a remedy. */
export function whyUnreadable({ code }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
      return 'does not exist'
    case 'EISDIR':
      return 'is a folder; name a file in it, such as config.yaml'
    case 'ENOTDIR':
      return 'cannot be opened: a part of its path is not a folder'
    case 'EACCES':
      return 'cannot be read by this user; change its mode or owner, or run treeboot as another user'
    default:
      return `cannot be read: ${code}`
  }
}

/** Holds all problems of a configuration, not only the first. */
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

/** Collects the problems of a configuration, in any order. */
export class ProblemList {
  readonly #fileName: string
  readonly #seen = new Set<string>()
  readonly #found: { at: TextPosition; problem: SnapshotProblem }[] = []

  constructor(fileName: string) {
    this.#fileName = fileName
  }

  add(severity: SnapshotProblem['severity'], at: TextPosition, message: string, remedy?: string): void {
    this.#keep(at, defined({ severity, where: this.#where(at), message, remedy }))
  }

  /** Adds an error for a value, or for a key, that the schema refused. */
  refuse(at: TextPosition, message: string, refused: RefusedValue, remedy?: string): void {
    this.#keep(at, defined({ severity: 'error' as const, where: this.#where(at), message, remedy, refused }))
  }

  #where({ file = this.#fileName, line, column }: TextPosition): string {
    return `${file}:${line}:${column}`
  }

  #keep(at: TextPosition, problem: SnapshotProblem): void {
    const key = `${problem.where} ${problem.message}`
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    this.#found.push({ at, problem })
  }

  /** The errors of each file beside the main one, and of the main one at `undefined`. */
  errorsByFile(): ReadonlyMap<string | undefined, readonly SnapshotProblem[]> {
    const byName = new Map<string | undefined, SnapshotProblem[]>()
    for (const { at, problem } of this.#sorted('error')) {
      const known = byName.get(at.file)
      if (known) known.push(problem)
      else byName.set(at.file, [problem])
    }
    return byName
  }

  /** The problems of this severity, sorted by file, line and column. */
  of(severity: SnapshotProblem['severity']): SnapshotProblem[] {
    return this.#sorted(severity).map(({ problem }) => problem)
  }

  #sorted(severity: SnapshotProblem['severity']) {
    return this.#found
      .filter(({ problem }) => problem.severity === severity)
      .sort((a, b) => byFile(a.at, b.at) || a.at.line - b.at.line || a.at.column - b.at.column)
  }
}

/** Sorts the main file first, then the files beside it. */
function byFile({ file: a = '' }: TextPosition, { file: b = '' }: TextPosition): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/**
 * Adds a problem for each value that the schema refused, each with its position. Returns the paths of the
 * refused values.
 */
export function reportIssues(
  issues: readonly z.core.$ZodIssue[],
  text: YamlText,
  problems: ProblemList,
): YamlPath[] {
  return withoutEchoes(issues).flatMap((issue) => reportIssue(issue, [], text, problems))
}

/** @param base The path of the union that the issue is in; empty at the top. */
function reportIssue(
  issue: z.core.$ZodIssue,
  base: YamlPath,
  text: YamlText,
  problems: ProblemList,
): YamlPath[] {
  const path = [...base, ...(issue.path as YamlPath)]
  if (issue.code === 'unrecognized_keys') {
    // One for each key, see `section` in file-schema.ts.
    const remedies = issue.message.split('\n')
    return issue.keys.map((key, i) => {
      const keyPath = [...path, key]
      const shown = showPath(keyPath)
      const expected = remedies[i] ? `a key that is known here; ${remedies[i]}` : 'no such key'
      problems.refuse(
        text.position(keyPath, 'key'),
        `${shown}: unknown key`,
        { key: shown, expected },
        remedies[i],
      )
      return keyPath
    })
  }
  // A name in `guests`, `profiles` or `mirrors`.
  if (issue.code === 'invalid_key') {
    const expected = issue.issues[0]?.message ?? issue.message
    const key = showPath(path)
    problems.refuse(text.position(path, 'key'), `${key}: expected ${expected}`, { key, expected })
    return [path]
  }
  if (issue.code === 'invalid_union') {
    const inner = issue.errors.find((branch) => branch.length > 0 && branch.every(isAboutContent))
    if (inner) return withoutEchoes(inner).flatMap((nested) => reportIssue(nested, path, text, problems))
  }
  const found = valueAt(text.value, path)
  const isShown = !isPrivate(path)
  const shown = isShown ? showValue(found) : 'another value'
  const key = showPath(path)
  problems.refuse(
    text.position(path, 'value'),
    `${key === '' ? '' : `${key}: `}found ${shown}, expected ${issue.message}`,
    { key, expected: issue.message, ...(isShown && { found: shown }) },
    remedyFor(issue, found),
  )
  return [path]
}

/** Keys whose value is a secret. */
const secretKey = /(?:^|-)secret$/

/** Secrets and URLs of webhooks, which are secrets where the receiver has no other: who may read problems must not see them. */
function isPrivate(path: YamlPath): boolean {
  const [section, , key] = path
  if (secretKey.test(String(path.at(-1)))) return true
  return section === 'webhooks' && key !== 'kinds' && key !== 'allow-private'
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

/**
 * Whether the value has the type of this branch of a union, and failed further in. Then the operator meant
 * this branch.
 */
function isAboutContent(issue: z.core.$ZodIssue): boolean {
  return issue.path.length > 0 || issue.code === 'unrecognized_keys' || issue.code === 'custom'
}

/**
 * Leaves out issues that only follow from another issue: a mapping with mistyped keys often fails a check of the
 * whole mapping too.
 */
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

/** Secrets are starred: problems are logged, and viewers read them. */
export function showValue(value: YamlValue | undefined): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  if (typeof value !== 'string') return String(value)
  return clip(`'${JSON.stringify(starred(value)).slice(1, -1).replaceAll('\\"', '"')}'`)
}

/** Shortens a text to 80 characters. The last one stays, since it may be a closing quote. */
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
