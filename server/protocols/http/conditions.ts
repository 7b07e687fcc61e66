import type { IncomingHttpHeaders } from 'node:http'

/** What a client may hold us to. */
export interface Validators {
  /** Strong, without quotes. */
  readonly etag: string
  readonly modifiedMs: number
}

export type Verdict = 'proceed' | 'not-modified' | 'precondition-failed'

/** The preconditions of a GET or HEAD in the order of RFC 9110 section 13.2.2; If-Range comes after, see `rangeHolds`. */
export function judgeConditions(headers: IncomingHttpHeaders, now: Validators): Verdict {
  const ifMatch = headers['if-match']
  const ifNoneMatch = headers['if-none-match']
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, now.etag, 'strong')) return 'precondition-failed'
  } else {
    const limit = parseHttpDate(headers['if-unmodified-since'])
    if (limit !== undefined && seconds(now.modifiedMs) > seconds(limit)) return 'precondition-failed'
  }
  if (ifNoneMatch !== undefined) return matches(ifNoneMatch, now.etag, 'weak') ? 'not-modified' : 'proceed'
  const since = parseHttpDate(headers['if-modified-since'])
  return since !== undefined && seconds(now.modifiedMs) <= seconds(since) ? 'not-modified' : 'proceed'
}

/**
 * Whether the Range header counts: there is no If-Range, or it names exactly what we have (RFC 9110 section
 * 13.1.5: a strong etag, or a date equal to Last-Modified).
 */
export function rangeHolds(ifRange: string | undefined, now: Validators): boolean {
  if (ifRange === undefined) return true
  const value = ifRange.trim()
  if (value.startsWith('"') || value.startsWith('W/')) return value === `"${now.etag}"`
  const date = parseHttpDate(value)
  return date !== undefined && seconds(date) === seconds(now.modifiedMs)
}

function matches(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true
  for (const [tag, weak, opaque] of header.matchAll(/(W\/)?"([^"]*)"/g))
    if (tag !== undefined && opaque === etag && (comparison === 'weak' || weak === undefined)) return true
  return false
}

/** HTTP dates have whole seconds. */
function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}

const day = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const httpDate = new RegExp(
  `^${day}, \\d{2} \\w{3} \\d{4} \\d{2}:\\d{2}:\\d{2} GMT$` + // IMF-fixdate
    `|^${day}[a-z]*, \\d{2}-\\w{3}-\\d{2} \\d{2}:\\d{2}:\\d{2} GMT$` + // RFC 850
    `|^${day} \\w{3} [ \\d]\\d \\d{2}:\\d{2}:\\d{2} \\d{4}$`, // asctime
)

/** One of the three date forms of RFC 9110 section 5.6.7, in milliseconds; undefined for anything else, which then counts as absent. */
export function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !httpDate.test(text)) return undefined
  const ms = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(ms) ? undefined : ms
}
