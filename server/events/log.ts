import { type DestinationStream, pino } from 'pino'
import { progressText } from '../core/boottest/progress.ts'
import { resultText } from '../core/boottest/result.ts'
import type { Event, EventSink } from './bus.ts'
import { LogWriter } from './log-writer.ts'
import { duration, bytes as size } from './units.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFormat = 'text' | 'json'

/** The level and the text of an event's log line, without time and colours. */
export function describeEvent(event: Event): { level: LogLevel; text: string } {
  switch (event.type) {
    case 'served':
      return describeServed(event)
    case 'boot': {
      const named = event.guest ?? event.machine
      const who = named === undefined || named === event.client ? '' : ` (${named})`
      return { level: 'info', text: `${event.protocol} ${event.client}${who} boots: ${event.decision}` }
    }
    case 'fetching':
      return { level: 'debug', text: `${event.who.protocol} ${event.who.address} is being sent a file` }
    case 'sending':
      return {
        level: 'debug',
        text: `${event.protocol} ${event.client} ${event.path} is being sent, ${size(event.size)}`,
      }
    case 'dhcp':
      return { level: 'debug', text: describeDhcp(event) }
    case 'report': {
      const detail = event.detail ? `: ${event.detail}` : ''
      return { level: 'info', text: `guest ${event.guest} (${event.client}) says ${event.state}${detail}` }
    }
    case 'syslog':
      return { level: 'debug', text: `syslog ${event.client} a line of ${size(event.bytes)}` }
    case 'syslog-lost':
      return { level: 'debug', text: describeLostLines(event) }
    case 'tree': {
      const why = event.reasons.length > 0 ? `: ${event.reasons.join('; ')}` : ''
      return {
        level: event.state === 'broken' ? 'error' : 'info',
        text: `tree ${event.id} is ${event.state}${why}`,
      }
    }
    case 'publish':
      return event.outcome === 'published'
        ? { level: 'info', text: `published ${event.lines.join('; ')}` }
        : { level: 'error', text: `${event.id} NOT PUBLISHED: ${event.lines.join('; ')}` }
    case 'boot-test':
      return { level: 'info', text: describeBootTest(event) }
    case 'config': {
      // The message has one line for each mistake; in the log they become one line.
      const text = event.message.replaceAll(':\n', ': ').replaceAll('\n', '; ')
      return event.outcome === 'loaded'
        ? { level: 'info', text }
        : { level: 'error', text: `CONFIGURATION NOT USED: ${text}` }
    }
    case 'stop':
      return { level: 'info', text: event.message }
    case 'noise':
      return {
        level: 'debug',
        text: `${event.protocol} ${event.client}: ${event.message}`,
      }
    case 'trouble':
      return { level: 'error', text: `${event.where}: ${event.message}` }
  }
}

function describeLostLines({ lines, why, client }: Extract<Event, { type: 'syslog-lost' }>): string {
  const reason = why === 'unknown' ? 'of addresses that boot nothing here' : 'more came than the limits allow'
  return `syslog ${lines} lines dropped: ${reason}, the last one from ${client}`
}

function describeBootTest({ state, ...test }: Extract<Event, { type: 'boot-test' }>): string {
  if (state !== 'ended' && state !== 'cancelled') return progressText({ ...test, state })
  const shown = test.results.map(resultText)
  const end = state === 'cancelled' ? ['it was ended'] : []
  return `boot test of ${test.tree}: ${[...shown, ...end].join('; ') || 'no machine boots from it'}`
}

function describeDhcp({
  client,
  step,
  port,
  file,
  detail,
  address,
}: Extract<Event, { type: 'dhcp' }>): string {
  return `dhcp ${client} ${step} (port ${port}) ${file ?? detail ?? address ?? ''}`
}

function describeServed(event: Extract<Event, { type: 'served' }>): { level: LogLevel; text: string } {
  const what = `${event.protocol} ${event.client} ${event.path}`
  if (event.outcome === 'complete' && event.question)
    return { level: 'info', text: `${what} asked about, nothing sent, in ${duration(event.ms)}` }
  if (event.outcome === 'complete')
    return { level: 'info', text: `${what} ${size(event.bytes)} in ${duration(event.ms)}` }
  if (event.outcome === 'aborted') {
    return { level: 'info', text: `${what} stopped by the client after ${size(event.bytes)}` }
  }
  // Loaders ask for a dozen names until one exists: a missing file is not a fault.
  if (event.kind === 'not-found') return { level: 'info', text: `${what} is not there` }
  return {
    level: 'warn',
    text: `${what} failed (${event.kind ?? 'internal'}): ${event.detail ?? 'no detail'}`,
  }
}

const rank: Record<LogLevel, number> = { debug: 10, info: 20, warn: 30, error: 40 }

export interface LogOptions {
  readonly format: LogFormat
  readonly level: LogLevel
  readonly color: boolean
  /** Default: standard output. */
  readonly stream?: DestinationStream
  readonly now?: () => Date
}

/**
 * Writes every event as one line. Lines for standard output are buffered and written five times a second, so
 * that a busy mirror does not wait for its log. `flush` writes out the buffered lines before the process ends.
 */
export function logSink(options: LogOptions): EventSink & { flush(): void } {
  const onLost = (lines: number, why: string): void =>
    sink({ type: 'trouble', where: 'log', message: `${lines} lines of the log are lost: ${why}` })
  const buffered = options.stream ? undefined : new LogWriter({ onLost })
  const stream = options.stream ?? buffered
  // Never thrown. It tells the compiler that there is a stream.
  if (!stream) throw new TypeError('a log needs a stream to write to')
  const now = options.now ?? (() => new Date())
  const json = pino({ level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream)
  const sink = (event: Event): void => {
    const { level, text } = describeEvent(event)
    if (rank[level] < rank[options.level]) return
    if (options.format === 'json') json[level](fieldsOf(event), text)
    else stream.write(textLine(now(), level, text, options.color))
  }
  return Object.assign(sink, { flush: () => buffered?.flush() })
}

/** The fields of an event for a JSON line, without the decision and the requester, which are internal. */
function fieldsOf(event: Event): object {
  if (event.type === 'fetching') return { type: event.type, client: event.who.address }
  if (event.type === 'syslog') {
    const { text: _text, ...fields } = event
    return fields
  }
  if (event.type !== 'served') return event
  const { decision: _decision, who: _who, ...fields } = event
  return fields
}

const colors: Record<LogLevel, string> = { debug: '\x1b[2m', info: '', warn: '\x1b[33m', error: '\x1b[31m' }

/**
 * One line of the text log. It may contain text from clients, so control characters are escaped: no client
 * can forge a line.
 */
function textLine(time: Date, level: LogLevel, text: string, color: boolean): string {
  const shown = text.replace(
    /[\x00-\x1f\x7f-\x9f]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  const line = `${time.toTimeString().slice(0, 8)} ${level === 'info' ? '' : `${level.toUpperCase()} `}${shown}`
  return color && colors[level] ? `${colors[level]}${line}\x1b[0m\n` : `${line}\n`
}
