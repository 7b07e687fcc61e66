import type { Entry } from '../../files/source.ts'

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
/** `ls` shows the time of day for what is younger, and the year for what is older or in the future. */
const halfYearMs = 182 * 24 * 60 * 60 * 1000

/** What the one who asks may do with an entry. */
export type Access = 'read' | 'write'

/** A line as `ls -l` writes it, with times in UTC: the one form of LIST that every client can read. */
export function listLine(entry: Entry, access: Access, nowMs: number): string {
  const mode =
    entry.kind === 'folder'
      ? access === 'write'
        ? 'drwxr-xr-x'
        : 'dr-xr-xr-x'
      : access === 'write'
        ? '-rw-r--r--'
        : '-r--r--r--'
  const links = entry.kind === 'folder' ? 2 : 1
  const size = String(entry.size).padStart(12)
  return `${mode} ${String(links).padStart(3)} ftp      ftp      ${size} ${listDate(entry.modifiedMs, nowMs)} ${entry.name}`
}

function listDate(modifiedMs: number, nowMs: number): string {
  const date = new Date(modifiedMs)
  const day = `${months[date.getUTCMonth()]} ${two(date.getUTCDate())}`
  const ageMs = nowMs - modifiedMs
  const recent = ageMs < halfYearMs && ageMs > -60_000
  return recent
    ? `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`
    : `${day}  ${date.getUTCFullYear()}`
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}

/** `YYYYMMDDHHMMSS` in UTC (RFC 3659 section 2.3). */
export function formatTime(modifiedMs: number): string {
  return new Date(modifiedMs).toISOString().replace(/\D/g, '').slice(0, 14)
}

/** The time of `MFMT 20240131235959`, a fraction ignored; undefined when there is no such moment. */
export function parseTime(text: string): number | undefined {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d+)?$/.exec(text) ?? []
  if (year === undefined) return undefined
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(ms) || formatTime(ms) !== text.slice(0, 14) ? undefined : ms
}

/** The facts of RFC 3659 section 7.5 that we tell. */
export const factNames = ['type', 'size', 'modify', 'perm'] as const
export type FactName = (typeof factNames)[number]

/** `type=file;size=12;...; name`: a line of MLSD. MLST puts the whole path for the name. */
export function factsLine(entry: Entry, name: string, facts: readonly FactName[], access: Access): string {
  let line = ''
  for (const fact of facts) {
    const value = factOf(entry, fact, access)
    if (value !== undefined) line += `${fact}=${value};`
  }
  return `${line} ${name}`
}

function factOf(entry: Entry, fact: FactName, access: Access): string | undefined {
  switch (fact) {
    case 'type':
      return entry.kind === 'folder' ? 'dir' : 'file'
    case 'size':
      return entry.kind === 'folder' ? undefined : String(entry.size)
    case 'modify':
      return formatTime(entry.modifiedMs)
    case 'perm':
      if (entry.kind === 'folder') return access === 'write' ? 'flcdmpe' : 'el'
      return access === 'write' ? 'adfrw' : 'r'
  }
}

/** What LIST and NLST were asked for. */
export interface ListRequest {
  readonly path: string
  /** For the last component, when it has `*` or `?`: people type `ls *.rpm`, and `mget` asks for it by NLST. */
  readonly pattern?: string
}

/** `-la` and the like are for the shell that FTP servers once called: dropped. Only words before the path count. */
export function parseListArgument(argument: string): ListRequest {
  const path = argument.replace(/^(?:\s*-[A-Za-z0-9]*(?=\s|$))+\s*/, '').trim()
  const cut = path.lastIndexOf('/') + 1
  const last = path.slice(cut)
  return /[*?]/.test(last) ? { path: path.slice(0, cut) || '.', pattern: last } : { path }
}

/** Whether `*` and `?` in the pattern can stand for what the name has. Never more than pattern x name steps. */
export function matchesPattern(name: string, pattern: string): boolean {
  let n = 0
  let p = 0
  let star = -1
  let starName = 0
  while (n < name.length) {
    if (pattern[p] === '*') {
      star = p++
      starName = n
    } else if (pattern[p] === '?' || pattern[p] === name[n]) {
      n++
      p++
    } else if (star >= 0) {
      p = star + 1
      n = ++starName
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/** Cuts lines into pieces of some 32 KiB, made as they are wanted: a slow reader of a long listing costs no more. */
export function* listingPieces<T>(items: Iterable<T>, lineOf: (item: T) => string): Generator<Buffer> {
  let text = ''
  for (const item of items) {
    text += `${lineOf(item)}\r\n`
    if (text.length < 32_768) continue
    yield Buffer.from(text, 'utf8')
    text = ''
  }
  if (text !== '') yield Buffer.from(text, 'utf8')
}
