import type { CleanPath } from '../../../files/path.ts'
import { isGrub } from '../requester.ts'
import { parseTarget } from '../target.ts'

/** A request that the fast path serves: a GET whose headers change nothing about the response. */
export interface PlainGet {
  readonly path: CleanPath
  readonly host: string
  readonly agent?: string
}

/** Headers that change nothing about the response. A request with any other header goes to node:http. */
const harmless = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'pragma',
  'x-anaconda-architecture',
  'x-anaconda-system-release',
])

/**
 * Parses a packet that is exactly one plain GET; undefined for any other. The packet must end with the head
 * of the request: a second request or a body in the same packet is for node:http. A target with a query is
 * not plain: it may carry the identity of a machine.
 */
export function parsePlainGet(text: string): PlainGet | undefined {
  if (!text.startsWith('GET /') || !text.endsWith('\r\n\r\n')) return undefined
  const [first = '', ...lines] = text.slice(0, -4).split('\r\n')
  const target = /^GET (\/[\x21-\x3e\x40-\x7e]*) HTTP\/1\.1$/.exec(first)?.[1]
  const sender = senderOf(lines)
  if (target === undefined || sender === undefined) return undefined
  try {
    return { path: parseTarget(target).path, ...sender }
  } catch {
    return undefined
  }
}

/**
 * The value of the Host header, and what the client calls itself. Undefined when there is not exactly one Host, or another
 * header is not known to be harmless.
 */
function senderOf(lines: readonly string[]): Pick<PlainGet, 'host' | 'agent'> | undefined {
  let host: string | undefined
  let agent: string | undefined
  for (const line of lines) {
    const [, name = '', value = ''] = /^([A-Za-z-]+):[ \t]*([\x20-\x7e]*)$/.exec(line) ?? []
    const lower = name.toLowerCase()
    if (lower === 'host' && host === undefined) host = value.trim()
    else if (!isHarmless(lower, value)) return undefined
    // Of several node:http takes the first, too.
    else if (lower === 'user-agent') agent ??= value.trim()
  }
  if (!host) return undefined
  return agent ? { host, agent } : { host }
}

function isHarmless(name: string, value: string): boolean {
  if (name === 'user-agent') return !isGrub(value)
  return name === 'connection' ? value.trim().toLowerCase() === 'keep-alive' : harmless.has(name)
}
