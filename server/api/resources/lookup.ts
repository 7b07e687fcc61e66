import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Snapshot } from '../../catalog/snapshot.ts'
import type { BootInputs } from '../../core/boot/plan-boot.ts'
import { Failure } from '../../core/failure.ts'
import { parseLookupQuery } from '../../core/lookup/lookup.ts'
import type { Requester } from '../../core/net/requester.ts'
import type { Release } from '../../core/tree/tree.ts'
import { cleanPath } from '../../files/path.ts'
import type { TreeViews } from '../../machines/views.ts'
import { createLookupTexts } from '../../namespace/lookup-cache.ts'
import { type Format, formatContentType, formats, isFormat, renderPlan } from '../../render/render.ts'
import { type FailureAnswer, failureAnswer } from '../failures.ts'

const path = '/api/v1/lookup'
const jsonType = 'application/json; charset=utf-8'

interface Answer {
  readonly status: number
  readonly contentType: string
  readonly body: Buffer
  /** Of the tree that was found. */
  readonly release?: Release
}

/** Whole answers kept. Requests come from clients, so the memory must end somewhere; it then starts anew. */
const mostAnswers = 4096

export interface LookupRouteParts {
  readonly snapshot: () => Snapshot
  readonly views: TreeViews
  readonly whoAsks: (req: IncomingMessage) => Requester
  readonly inputsOf: (req: IncomingMessage) => BootInputs
  readonly onFault: (error: unknown, where: string) => void
}

/**
 * `GET /api/v1/lookup`, answered before Express: a rack that installs asks it thousands of times a second, and
 * routing alone would cost more than the answer. The same request to the same snapshot, by a client that reaches us by
 * the same name, has the same answer. Returns false for every other request.
 */
export function lookupRoute({
  snapshot,
  views,
  whoAsks,
  inputsOf,
  onFault,
}: LookupRouteParts): (req: IncomingMessage, res: ServerResponse) => boolean {
  const texts = createLookupTexts()
  const answers = new Map<string, Answer>()
  let answered: Snapshot | undefined

  const answerOf = (req: IncomingMessage, query: string): Answer => {
    const now = snapshot()
    if (now !== answered || answers.size >= mostAnswers) answers.clear()
    answered = now
    const who = whoAsks(req)
    views.enter(who)
    const inputs = inputsOf(req)
    const key = `${req.headers.host}\n${req.socket.localAddress}\n${query}`
    const known = inputs.trees === now.trees ? answers.get(key) : undefined
    if (known) {
      if (known.release) views.see(who, known.release, lookedUp)
      return known
    }
    const params = readQuery(query)
    const answer = answerLookup(params, inputs, texts)
    // What it fetches next is to be what it was told of.
    if (answer.release) views.see(who, answer.release, lookedUp)
    // What a guest gets depends on what happened to it; of that `texts` keeps track.
    const ofGuest = params.guest ?? params.mac ?? params.uuid
    if (answer.status === 200 && ofGuest === undefined && inputs.trees === now.trees) answers.set(key, answer)
    return answer
  }

  return (req, res) => {
    const url = req.url ?? ''
    if (!url.startsWith(path) || (req.method !== 'GET' && req.method !== 'HEAD')) return false
    const mark = url.charCodeAt(path.length)
    if (url.length > path.length && mark !== questionMark) return false
    let answer: Answer
    try {
      answer = answerOf(req, url.slice(path.length + 1))
    } catch (error) {
      answer = refusal(failureAnswer(error, (fault) => onFault(fault, `${req.method} ${path}`)))
    }
    const { status, contentType, body } = answer
    res.writeHead(status, { 'Content-Type': contentType, 'Content-Length': body.length })
    res.end(req.method === 'HEAD' ? undefined : body)
    return true
  }
}

/** No path of a tree has this name. */
const lookedUp = cleanPath('/.treeboot-lookup')
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
  inputs: BootInputs,
  texts: ReturnType<typeof createLookupTexts>,
): Answer {
  const as = formatOf(params.as)
  const { result, json } = texts(parseLookupQuery(params), inputs)
  if (!result.found) {
    const { why: message, nearest } = result
    return jsonAnswer(404, { error: 'not-found', message, nearest })
  }
  const { release } = result.plan.tree
  const found = { status: 200, ...(release && { release }) }
  if (as === 'json' && json !== undefined) return { ...found, contentType: jsonType, body: Buffer.from(json) }
  return { ...found, contentType: formatContentType(as), body: Buffer.from(renderPlan(result.plan, as)) }
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
  return jsonAnswer(status, body)
}

function jsonAnswer(status: number, value: unknown): Answer {
  return { status, contentType: jsonType, body: Buffer.from(JSON.stringify(value)) }
}
