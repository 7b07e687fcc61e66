import { randomBytes } from 'node:crypto'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { type FailureKind, failureKind, failureMessage } from '../../core/failure.ts'
import { httpStatus } from '../../core/http-status.ts'
import type { Requester } from '../../core/net/requester.ts'
import type { Event, EventSink } from '../../events/bus.ts'
import type { BufferPool } from '../../files/buffers.ts'
import { type CleanPath, parentPath } from '../../files/path.ts'
import { sendParts } from '../../files/send.ts'
import type { Entry, FileSource } from '../../files/source.ts'
import { type SmallFiles, smallFileBytes } from './fast/small-files.ts'
import { errorPage, folderJson, folderPage, pageHeaders } from './pages.ts'
import { type Answer, answerFile, bodyLength, emptyAnswer } from './response.ts'

export interface Means {
  readonly source: () => FileSource
  readonly files: SmallFiles
  readonly pool: BufferPool
  readonly events: EventSink
}

/** How often a file that is replaced between lookup and opening is looked up again before we give up. */
const openAttempts = 4

type Outcome = Extract<Event, { type: 'served' }>['outcome']

/** Answers one request for a path of the namespace. Never rejects. */
export async function respond(
  means: Means,
  req: IncomingMessage,
  res: ServerResponse,
  path: CleanPath,
  who: Requester,
): Promise<void> {
  const startedMs = performance.now()
  let sent = 0
  let decision: Entry['decision']
  const tell = (outcome: Outcome, kind?: FailureKind, detail?: string): void =>
    means.events({
      type: 'served',
      protocol: who.protocol,
      client: who.address,
      path,
      outcome,
      ...(kind && { kind }),
      ...(detail && { detail }),
      bytes: sent,
      ms: performance.now() - startedMs,
      ...(req.method === 'HEAD' && { question: true }),
      ...(decision && { decision }),
      who,
    })
  try {
    const { method } = req
    if (method !== 'GET' && method !== 'HEAD') {
      write(res, emptyAnswer(405, ['Allow', 'GET, HEAD']))
      return tell('failed', 'unsupported', `method ${method}; files have GET and HEAD`)
    }
    const source = means.source()
    const entry = await source.stat(path, who)
    if (entry?.kind === 'file') {
      decision = entry.decision
      const complete = await sendFile(means, source, entry, { req, res, method, path, who }, (count) => {
        sent += count
      })
      return tell(complete ? 'complete' : 'aborted')
    }
    const entries = entry?.kind === 'folder' ? await source.list(path, who) : undefined
    const answer = entries ? folderAnswer(req, path, entries) : await missingAnswer(req, source, path, who)
    const told = withoutBody(req, answer)
    write(res, told)
    sent = bodyLength(told)
    if (entries) tell('complete')
    else tell('failed', 'not-found')
  } catch (error) {
    if (res.headersSent) res.destroy()
    else write(res, withoutBody(req, failureAnswer(req, path, error)))
    tell('failed', failureKind(error), failureMessage(error))
  }
}

interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly method: 'GET' | 'HEAD'
  readonly path: CleanPath
  readonly who: Requester
}

/** Resolves to whether the client got all of it. */
async function sendFile(
  means: Means,
  source: FileSource,
  found: Entry,
  { req, res, method, path, who }: Exchange,
  onBytes: (count: number) => void,
): Promise<boolean> {
  let entry = found
  for (let attempt = 1; ; attempt++) {
    const answer = answerFile(entry, { method, path, headers: req.headers, boundary })
    try {
      if (entry.claim && answer.parts.length > 0) await entry.claim()
      if (answer.parts.every((part) => part instanceof Uint8Array)) return writeSmall(res, answer, onBytes)
      if (entry.size <= smallFileBytes) {
        const bytes = await means.files.load(entry)
        const parts = answer.parts.map((part) =>
          part instanceof Uint8Array ? part : bytes.subarray(part.from, part.from + part.length),
        )
        return writeSmall(res, { ...answer, parts }, onBytes)
      }
      const file = await entry.open()
      try {
        if (entry.decision) means.events({ type: 'fetching', who, decision: entry.decision })
        res.writeHead(answer.status, answer.headers as string[])
        if (!(await sendParts(answer.parts, file, res, means.pool, onBytes))) return false
        res.end()
        return true
      } finally {
        await file.close()
      }
    } catch (error) {
      // Replaced since it was looked up, and nothing of the answer is out yet: the new one is looked up and sent.
      if (res.headersSent || attempt >= openAttempts || failureKind(error) !== 'conflict') throw error
      const again = await source.stat(path, who)
      if (again?.kind !== 'file') throw error
      entry = again
    }
  }
}

function writeSmall(res: ServerResponse, answer: Answer, onBytes: (count: number) => void): boolean {
  if (res.destroyed) return false
  write(res, answer)
  onBytes(bodyLength(answer))
  return true
}

/** Less than that is worth a copy, for one system call instead of several. */
const oneWriteBytes = 64 * 1024

/** Writes an answer whose parts are all in memory. */
export function write(res: ServerResponse, answer: Answer): void {
  res.writeHead(answer.status, answer.headers as string[])
  const parts = answer.parts.filter((part) => part instanceof Uint8Array)
  const [only] = parts
  if (parts.length <= 1) return void res.end(only)
  if (bodyLength(answer) <= oneWriteBytes) return void res.end(Buffer.concat(parts))
  for (const part of parts) res.write(part)
  res.end()
}

function withoutBody(req: IncomingMessage, answer: Answer): Answer {
  return req.method === 'HEAD' ? { ...answer, parts: [] } : answer
}

function boundary(): string {
  return `treeboot-${randomBytes(18).toString('hex')}`
}

function folderAnswer(req: IncomingMessage, path: CleanPath, entries: readonly Entry[]): Answer {
  const accept = req.headers.accept ?? ''
  if (!accept.includes('application/json') || wantsPage(req))
    return pageAnswer(200, folderPage(path, entries))
  const headers = ['Content-Type', 'application/json', 'Cache-Control', 'no-cache', 'Vary', 'Accept']
  return blocksAnswer(200, headers, folderJson(path, entries))
}

/** An empty body for machines; for whoever asks for HTML a page with the way back. */
async function missingAnswer(
  req: IncomingMessage,
  source: FileSource,
  path: CleanPath,
  who: Requester,
): Promise<Answer> {
  if (!wantsPage(req)) return isUefi(req) ? wordAnswer(404) : emptyAnswer(404)
  let nearest = parentPath(path)
  while (nearest !== '/' && (await source.stat(nearest, who))?.kind !== 'folder')
    nearest = parentPath(nearest)
  return pageAnswer(404, errorPage('Not found', path, 'There is nothing at this path', nearest))
}

/** The cause is for the operator's log: it may name local paths. */
function failureAnswer(req: IncomingMessage, path: CleanPath, error: unknown): Answer {
  const status = httpStatus[failureKind(error)].files
  if (!wantsPage(req)) return isUefi(req) ? wordAnswer(status) : emptyAnswer(status)
  const title = STATUS_CODES[status] ?? 'Error'
  return pageAnswer(
    status,
    errorPage(title, path, 'This cannot be served now; the log of the server says why'),
  )
}

/**
 * EDK2's HTTP driver (OVMF 2022.11) waits for the body of an answer whose Content-Length is 0, until the connection ends.
 * shim 16.1 asks for three files that hardly any server has before it asks for GRUB: a minute each with an empty 404,
 * and then "Failed to fetch image". Neither uses the body of an error for anything.
 */
function isUefi(req: IncomingMessage): boolean {
  return req.headers['user-agent']?.startsWith('UefiHttpBoot') ?? false
}

function wordAnswer(status: number): Answer {
  const bytes = Buffer.from(`${STATUS_CODES[status] ?? 'Error'}\n`, 'latin1')
  return {
    status,
    headers: ['Content-Length', String(bytes.length), 'Content-Type', 'text/plain; charset=utf-8'],
    parts: [bytes],
  }
}

function wantsPage(req: IncomingMessage): boolean {
  return req.headers.accept?.includes('text/html') ?? false
}

function pageAnswer(status: number, html: string | readonly Buffer[]): Answer {
  return blocksAnswer(status, pageHeaders, typeof html === 'string' ? [Buffer.from(html, 'utf8')] : html)
}

function blocksAnswer(status: number, headers: readonly string[], parts: readonly Buffer[]): Answer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return { status, headers: ['Content-Length', String(length), ...headers], parts }
}
