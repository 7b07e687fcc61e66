import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseLookupQuery } from '../core/boot/lookup.ts'
import { createLookupTexts } from '../core/boot/lookup-texts.ts'
import type { BootWorld } from '../core/boot/plan-boot.ts'
import { Failure } from '../core/failure.ts'
import { type Format, formatContentType, formats, isFormat, renderPlan } from '../render/render.ts'
import { type FailureAnswer, failureAnswer } from './failures.ts'

const path = '/api/v1/lookup'
const jsonType = 'application/json; charset=utf-8'

interface Answer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

/**
 * `GET /api/v1/lookup`, answered before Express: a rack that installs asks it thousands of times a second, and
 * routing alone would cost more than the answer. Returns false for every other request.
 */
export function lookupRoute(
  worldOf: (req: IncomingMessage) => BootWorld,
  onFault: (error: unknown, where: string) => void,
): (req: IncomingMessage, res: ServerResponse) => boolean {
  const texts = createLookupTexts()
  return (req, res) => {
    const url = req.url ?? ''
    if (!url.startsWith(path) || (req.method !== 'GET' && req.method !== 'HEAD')) return false
    const mark = url.charCodeAt(path.length)
    if (url.length > path.length && mark !== questionMark) return false
    let answer: Answer
    try {
      answer = answerLookup(readQuery(url.slice(path.length + 1)), worldOf(req), texts)
    } catch (error) {
      answer = refusal(failureAnswer(error, (fault) => onFault(fault, `${req.method} ${path}`)))
    }
    const body = Buffer.from(answer.body)
    res.writeHead(answer.status, { 'Content-Type': answer.contentType, 'Content-Length': body.length })
    res.end(req.method === 'HEAD' ? undefined : body)
    return true
  }
}

const questionMark = 0x3f

/** A parameter that is given twice becomes a list, which the lookup refuses by name. */
function readQuery(text: string): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null)
  for (const [key, value] of new URLSearchParams(text)) {
    const before = query[key]
    query[key] = before === undefined ? value : [before, value].flat()
  }
  return query
}

function answerLookup(
  params: Readonly<Record<string, string | string[]>>,
  world: BootWorld,
  texts: ReturnType<typeof createLookupTexts>,
): Answer {
  const as = formatOf(params.as)
  const { result, json } = texts(parseLookupQuery(params), world)
  if (!result.found) {
    const { why: message, nearest } = result
    return {
      status: 404,
      contentType: jsonType,
      body: JSON.stringify({ error: 'not-found', message, nearest }),
    }
  }
  if (as === 'json' && json !== undefined) return { status: 200, contentType: jsonType, body: json }
  return { status: 200, contentType: formatContentType(as), body: renderPlan(result.plan, as) }
}

/**
 * Reads `as=`.
 *
 * @throws Failure `bad-request` naming the formats that there are.
 */
export function formatOf(as: unknown): Format {
  if (as === undefined || as === '') return 'json'
  if (typeof as === 'string' && isFormat(as)) return as
  throw new Failure('bad-request', `as=${String(as).slice(0, 60)}: expected one of ${formats.join(', ')}`)
}

function refusal({ status, body }: FailureAnswer): Answer {
  return { status, contentType: jsonType, body: JSON.stringify(body) }
}
