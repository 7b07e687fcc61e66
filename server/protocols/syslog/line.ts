import type { LogLine } from '../../core/boots/log-line.ts'
import { requestLimits } from '../../core/limits/requests.ts'

/** `<PRI>`: facility times 8, and severity (RFC 3164 section 4.1.1, RFC 5424 section 6.2.1). */
const priority = /^<(\d{1,3})>/
const highestPriority = 191
/** user.notice: what RFC 3164 section 4.3.3 gives a line without a priority. */
const usualSeverity = 5

/** RFC 5424 section 6: version, time, host, program, process, message id. */
const newHead = /^1 (?:-|\d{4}-[\d:.TZ+-]{1,40}) [!-~]{1,255} ([!-~]{1,48}) [!-~]{1,128} [!-~]{1,32} (?=[-[])/

/** RFC 3164 section 4.1.2 `Nov  1 12:00:00`, which some write with a year, or as RFC 3339 has it, as rsyslog can. */
const oldTime =
  /^(?:[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[\d:.]{5,20}(?:Z|[+-]\d\d:?\d\d)?) /
/** `anaconda[1234]:`, `kernel:`; of programs with blanks in their names only the last word. */
const tag = /^([^\s:[\]]{1,64})(?:\[[^\]\s]{0,32}\])?:(?: |$)/
const hostThenTag = /^[^\s:[\]]{1,255} (?=[^\s:[\]]{1,64}(?:\[[^\]\s]{0,32}\])?:(?: |$))/

/** Control characters, line separators, and those that change the direction of the text around them. */
const harmful = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * One line by syslog: RFC 5424, RFC 3164, and whatever else begins with a priority or does not. No line is refused. Host
 * and time are read over: a machine is known by its address, and its clock is seldom right while it installs.
 *
 * busybox syslogd -R 1.35 sends the time and no host; logger --rfc3164 a host; rsyslog either. So a host is what stands
 * before a program.
 */
export function parseLine(bytes: Uint8Array): LogLine {
  const whole = Buffer.from(bytes.subarray(0, requestLimits.syslogLine.bytes)).toString('utf8')
  const text = whole
    .replace(/[\r\n\0]+$/, '')
    .replace(/\t/g, ' ')
    .replace(harmful, '?')
  const [head = '', number = ''] = priority.exec(text) ?? []
  const isPriority = head !== '' && Number(number) <= highestPriority
  const severity = isPriority ? Number(number) % 8 : usualSeverity
  const rest = isPriority ? text.slice(head.length) : text
  const modern = newHead.exec(rest)
  if (modern) return { severity, ...modernLine(modern[1] ?? '', rest.slice(modern[0].length)) }
  return { severity, ...oldLine(rest) }
}

function modernLine(name: string, rest: string): Pick<LogLine, 'program' | 'text'> {
  const text = rest.slice(dataEnd(rest)).replace(/^ /, '')
  // RFC 5424 section 6.4: a byte order mark says that the text is UTF-8.
  return { program: name === '-' ? '' : name, text: text.replace(/^\ufeff/, '').trim() }
}

/**
 * Where the structured data ends (RFC 5424 section 6.3): `-`, or elements in brackets, in whose quoted values a
 * backslash keeps the quote and the bracket.
 */
function dataEnd(text: string): number {
  if (!text.startsWith('[')) return 1
  let isQuoted = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (isQuoted && character === '\\') at++
    else if (character === '"') isQuoted = !isQuoted
    else if (character === ']' && !isQuoted && text[at + 1] !== '[') return at + 1
  }
  return text.length
}

function oldLine(rest: string): Pick<LogLine, 'program' | 'text'> {
  const after = rest.replace(oldTime, '')
  const hasTime = after.length < rest.length
  const said = hasTime ? after.replace(hostThenTag, '') : after
  const named = tag.exec(said)
  // Without a time, `error: no disk` is a sentence as well as a program.
  if (!named || !(hasTime || said[named[0].indexOf(':') - 1] === ']'))
    return { program: '', text: said.trim() }
  return { program: named[1] ?? '', text: said.slice(named[0].length).trim() }
}
