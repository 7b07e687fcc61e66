/** Lines of LIST (as `ls -l`) and MLSD (as facts), and the arguments of the commands that list. */

import { linkItself } from '../../../files/entry.ts'
import type { Entry } from '../../../files/source.ts'

/** What the client may do with an entry. */
export type Access = 'read' | 'write'

const modes = {
  folder: { read: 'dr-xr-xr-x', write: 'drwxr-xr-x' },
  file: { read: '-r--r--r--', write: '-rw-r--r--' },
  symlink: { read: 'lrwxrwxrwx', write: 'lrwxrwxrwx' },
}

/**
 * A line as `ls -l` writes it, with times in UTC: every client can read this form of LIST. By `l` and the target,
 * lftp, wget and FileZilla know a symlink and do not walk into it.
 */
export function listLine(entry: Entry, access: Access, nowMs: number): string {
  const { name, kind, size, modifiedMs, target } = linkItself(entry)
  const links = kind === 'folder' ? '  2' : '  1'
  const shown = target === undefined ? name : `${name} -> ${target}`
  return `${modes[kind][access]} ${links} ftp      ftp      ${String(size).padStart(12)} ${listDate(modifiedMs, nowMs)} ${shown}`
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
/**
 * `ls` shows the time of day of files younger than this, and the year of files that are older or in the
 * future.
 */
const halfYearMs = 182 * 24 * 60 * 60 * 1000
/** A file that is this little in the future still counts as young. */
const toleratedFutureMs = 60_000

function listDate(modifiedMs: number, nowMs: number): string {
  const date = new Date(modifiedMs)
  const day = `${months[date.getUTCMonth()]} ${twoDigits(date.getUTCDate())}`
  const ageMs = nowMs - modifiedMs
  const recent = ageMs < halfYearMs && ageMs > -toleratedFutureMs
  return recent
    ? `${day} ${twoDigits(date.getUTCHours())}:${twoDigits(date.getUTCMinutes())}`
    : `${day}  ${date.getUTCFullYear()}`
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0')
}

/** `YYYYMMDDHHMMSS` in UTC (RFC 3659 section 2.3). */
export function formatTime(modifiedMs: number): string {
  return new Date(modifiedMs).toISOString().replace(/\D/g, '').slice(0, 14)
}

/**
 * Parses the time of `MFMT 20240131235959` to milliseconds; a fraction is ignored. Undefined when the
 * calendar has no such moment.
 */
export function parseTime(text: string): number | undefined {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d+)?$/.exec(text) ?? []
  if (year === undefined) return undefined
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(ms) || formatTime(ms) !== text.slice(0, 14) ? undefined : ms
}

/** The facts of RFC 3659 section 7.5 that we show. */
export const factNames = ['type', 'size', 'modify', 'perm'] as const
export type FactName = (typeof factNames)[number]

/** A line of MLSD: `type=file;size=12;...; name`. In MLST `name` is the whole path. */
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
      return typeOf(entry)
    case 'size':
      return entry.kind === 'folder' ? undefined : String(entry.size)
    case 'modify':
      return formatTime(entry.modifiedMs)
    case 'perm':
      // One letter for each kind of command that may be used: RFC 3659 section 7.5.5.
      if (entry.kind === 'folder') return access === 'write' ? 'flcdmpe' : 'el'
      return access === 'write' ? 'adfrw' : 'r'
  }
}

/**
 * RFC 3659 section 7.5.1 leaves links to types of the system, and 7.7.4 has one. Pure-FTPd and ProFTPD (`UseSlink`)
 * write `OS.unix=slink:TARGET`, and `OS.unix=symlink` where no target is given; basic-ftp, FileZilla and WinSCP know
 * both. A target with a character that a fact cannot have (section 7.2: blank, `;`, not ASCII) is in LIST alone.
 */
function typeOf({ kind, target }: Entry): string {
  if (target === undefined) return kind === 'folder' ? 'dir' : 'file'
  return /^[\w,.:!@#$%^&()+?/=-]+$/.test(target) ? `OS.unix=slink:${target}` : 'OS.unix=symlink'
}

/** The argument of LIST, NLST or STAT. */
export interface ListRequest {
  readonly path: string
  /**
   * The last component of the path, if it has `*` or `?`. People type `ls *.rpm`, and `mget` sends such a
   * name with NLST.
   */
  readonly pattern?: string
}

/**
 * Parses the argument of LIST, NLST or STAT. Options such as `-la` before the path are dropped: they were for
 * the `ls` that FTP servers once ran.
 */
export function parseListArgument(argument: string): ListRequest {
  const path = argument.replace(/^(?:\s*-[A-Za-z0-9]*(?=\s|$))+\s*/, '').trim()
  const cut = path.lastIndexOf('/') + 1
  const last = path.slice(cut)
  return /[*?]/.test(last) ? { path: path.slice(0, cut) || '.', pattern: last } : { path }
}

/**
 * Whether a name matches a pattern of `*` and `?`. Takes at most pattern length times name length steps.
 */
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

/**
 * The lines in pieces of some 32 KiB. Each piece is made when it is needed, so that a slow reader of a long
 * listing takes no more memory.
 */
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
