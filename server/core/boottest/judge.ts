import { roleOf } from '../boots/roles.ts'
import type { Goal } from './goals.ts'
import { type ReachPoint, reachWords } from './result.ts'

/** All that was seen of a machine so far. */
export interface Sight {
  readonly goals: readonly Goal[]
  readonly lines: ReadonlySet<ReachPoint>
  readonly files: ReadonlySet<ReachPoint>
  /** The newest readable words of the serial line, and the newest file that was fetched whole. */
  readonly lastLine?: string
  readonly lastFile?: string
  /** The newest file that the machine asked for and did not get. */
  readonly lost?: string
  /** Why it will get no further: what was seen, and the line that showed it. */
  readonly end?: string
}

/** A request that has ended, as an event has it. */
export interface SeenRequest {
  readonly path: string
  readonly outcome: 'complete' | 'aborted' | 'failed'
  /** HEAD: nothing was fetched. */
  readonly isQuestion: boolean
}

export type Verdict =
  | { readonly state: 'running' }
  | { readonly state: 'passed'; readonly reached: readonly ReachPoint[] }
  | { readonly state: 'failed'; readonly why: string }

/** In characters. A line of a machine has any length. */
const longestLine = 1000
const longestShown = 160

/** Lines after which a machine gets no further, with what they mean. */
const ends: readonly (readonly [line: RegExp, meaning: string])[] = [
  [/Kernel panic - not syncing/, 'the kernel panicked'],
  // dracut, systemd, and initramfs-tools and live-boot ("panic" in scripts/functions).
  [
    /Entering emergency mode|You are in emergency mode|[Dd]ropping to a shell!|Give root password for maintenance/,
    'an emergency shell was opened',
  ],
  [/An unknown error has occurred|The installer has crashed|Pane is dead/, 'the installer crashed'],
  // SeaBIOS and iPXE; OVMF.
  [
    /No bootable device|No more network devices|No bootable option or device was found|UEFI Interactive Shell/,
    'the firmware found nothing to boot',
  ],
  [/the boot files could not be loaded; booting the local disk/, 'the loader could not load the boot files'],
]

export function newSight(goals: readonly Goal[]): Sight {
  return { goals, lines: new Set(), files: new Set() }
}

/** The sight after a line of the serial line, which has no ANSI sequences any more. */
export function afterLine(sight: Sight, whole: string): Sight {
  const line = whole.slice(0, longestLine).trim()
  if (!/[a-z]{3}/i.test(line)) return sight
  const shown = sight.goals.filter((goal) => goal.line?.test(line)).map(({ point }) => point)
  const found = ends.find(([pattern]) => pattern.test(line))
  const end = sight.end ?? (found && `${found[1]} (${quoted(line)})`)
  return {
    ...sight,
    lines: shown.length === 0 ? sight.lines : new Set([...sight.lines, ...shown]),
    lastLine: line,
    ...(end !== undefined && { end }),
  }
}

export function afterRequest(sight: Sight, { path, outcome, isQuestion }: SeenRequest): Sight {
  if (isQuestion) return sight
  if (outcome !== 'complete') return { ...sight, lost: path }
  const shown = sight.goals.filter(({ file }) => file && isMeant(file, path)).map(({ point }) => point)
  return {
    ...sight,
    files: shown.length === 0 ? sight.files : new Set([...sight.files, ...shown]),
    lastFile: path,
  }
}

function isMeant(file: NonNullable<Goal['file']>, path: string): boolean {
  return 'path' in file ? file.path === path : roleOf(path) === file.role
}

/** @param over Set when the machine ended or its time is over, in words: `it was silent for 300 s`. */
export function verdictOf(sight: Sight, over?: string): Verdict {
  const missing = sight.goals.filter((goal) => !isReached(sight, goal))
  if (missing.length === 0) return { state: 'passed', reached: sight.goals.map(({ point }) => point) }
  const end = sight.end ?? over
  if (end === undefined) return { state: 'running' }
  const { lastLine, lastFile, lost } = sight
  const why = [
    end,
    `not reached: ${missing.map((goal) => missingText(sight, goal)).join(', ')}`,
    lost !== undefined && `asked for ${quoted(lost)} and did not get it`,
    lastFile === undefined ? 'fetched nothing' : `last fetched: ${quoted(lastFile)}`,
    lastLine === undefined ? 'wrote nothing on the serial line' : `last line: ${quoted(lastLine)}`,
  ]
  return { state: 'failed', why: why.filter((part) => part !== false).join('; ') }
}

function isReached({ lines, files }: Sight, { point, line, file }: Goal): boolean {
  return (line === undefined || lines.has(point)) && (file === undefined || files.has(point))
}

/** What of a point was not seen, where one of the two signs was. */
function missingText({ lines, files }: Sight, { point, line, file }: Goal): string {
  const word = reachWords[point]
  if (file !== undefined && files.has(point))
    return `${word} (it was fetched, and the serial line does not show it)`
  if (line !== undefined && lines.has(point))
    return `${word} (the serial line shows it, and nothing was fetched)`
  return word
}

/** Words of a machine: short, and on one line. */
function quoted(text: string): string {
  return JSON.stringify(text.length > longestShown ? `${text.slice(0, longestShown - 1)}…` : text)
}
