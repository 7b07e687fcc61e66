import type { IncomingHttpHeaders } from 'node:http'

/** The validators of a file, which conditional requests compare with (RFC 9110 section 8.8). */
export interface Validators {
  /** Strong, without quotes. */
  readonly etag: string
  readonly modifiedMs: number
}

export type ConditionResult = 'proceed' | 'not-modified' | 'precondition-failed'

/**
 * Evaluates the preconditions of a GET or HEAD in the order of RFC 9110 section 13.2.2. If-Range comes later:
 * see `rangeHolds`.
 */
export function evaluateConditions(headers: IncomingHttpHeaders, current: Validators): ConditionResult {
  const ifMatch = headers['if-match']
  const ifNoneMatch = headers['if-none-match']
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, current.etag, 'strong')) return 'precondition-failed'
  } else {
    const limit = parseHttpDate(headers['if-unmodified-since'])
    if (limit !== undefined && seconds(current.modifiedMs) > seconds(limit)) return 'precondition-failed'
  }
  if (ifNoneMatch !== undefined)
    return matches(ifNoneMatch, current.etag, 'weak') ? 'not-modified' : 'proceed'
  const since = parseHttpDate(headers['if-modified-since'])
  return since !== undefined && seconds(current.modifiedMs) <= seconds(since) ? 'not-modified' : 'proceed'
}

/**
 * Whether the Range header counts. It does without an If-Range, or when If-Range names exactly our version of
 * the file (RFC 9110 section 13.1.5): the strong ETag, or a date equal to Last-Modified.
 */
export function rangeHolds(ifRange: string | undefined, current: Validators): boolean {
  if (ifRange === undefined) return true
  const value = ifRange.trim()
  if (value.startsWith('"') || value.startsWith('W/')) return value === `"${current.etag}"`
  const date = parseHttpDate(value)
  return date !== undefined && seconds(date) === seconds(current.modifiedMs)
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

/**
 * Parses one of the three date forms of RFC 9110 section 5.6.7; milliseconds. Undefined for any other text,
 * and the header then counts as absent.
 */
export function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !httpDate.test(text)) return undefined
  const ms = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(ms) ? undefined : ms
}
