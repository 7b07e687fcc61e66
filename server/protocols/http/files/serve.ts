import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Failure, failureKind, failureMessage } from '../../../core/failure.ts'
import type { Requester } from '../../../core/net/requester.ts'
import { type Event, type EventSink, largeFile } from '../../../events/bus.ts'
import type { BufferPool } from '../../../files/buffers.ts'
import { type CleanPath, parentPath } from '../../../files/path.ts'
import { sendParts } from '../../../files/send.ts'
import type { Entry, FileSource } from '../../../files/source.ts'
import type { FolderPages } from './folder-pages.ts'
import {
  bodyLength,
  emptyResponse,
  failureResponse,
  fileResponse,
  folderResponse,
  type HttpResponse,
  missingResponse,
  wantsPage,
} from './response.ts'
import { type SmallFiles, smallFileBytes } from './small-files.ts'

/** What serving files needs, and all requests share. */
export interface ServeContext {
  readonly source: () => FileSource
  readonly files: SmallFiles
  readonly pages: FolderPages
  readonly pool: BufferPool
  readonly events: EventSink
}

/** One request for a path of the namespace. */
export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly path: CleanPath
  readonly requester: Requester
  /** Called when a long response begins, which may take its client long to read. */
  readonly onSending: () => void
}

type ServedEvent = Extract<Event, { type: 'served' }>
type Ending = Pick<ServedEvent, 'outcome' | 'kind' | 'detail' | 'decision'>

/** A GET or HEAD, with what sending its response needs. */
interface Reading extends Exchange {
  readonly method: 'GET' | 'HEAD'
  readonly source: FileSource
  /** Counts the bytes of the requested content that went out. */
  readonly onBytes: (count: number) => void
}

/** How often a file that is replaced between lookup and opening is looked up again before we give up. */
const openAttempts = 4

/**
 * Serves one request for a path of the namespace, and emits one `served` event for it. Never rejects.
 *
 * The event counts the bytes of content that went out. It counts none for a HEAD, a 304 or an error: such a
 * request fetches nothing. HEAD is also marked as a question: whatever it finds, it tells nothing about what
 * the client loads.
 */
export async function serve(context: ServeContext, exchange: Exchange): Promise<void> {
  const startedMs = performance.now()
  let bytes = 0
  const onBytes = (count: number): void => {
    bytes += count
  }
  let ending: Ending
  try {
    ending = await respond(context, exchange, onBytes)
  } catch (error) {
    ending = fail(exchange, error)
  }
  const { path, requester } = exchange
  const ms = performance.now() - startedMs
  const { protocol, address: client } = requester
  const question = exchange.req.method === 'HEAD' ? { question: true as const } : undefined
  context.events({
    type: 'served',
    protocol,
    client,
    path,
    ...ending,
    bytes,
    ms,
    ...question,
    who: requester,
  })
}

async function respond(
  context: ServeContext,
  exchange: Exchange,
  onBytes: (count: number) => void,
): Promise<Ending> {
  const { req, res, path, requester } = exchange
  const { method, headers } = req
  if (method !== 'GET' && method !== 'HEAD') {
    // `close`: nobody reads the body.
    write(res, emptyResponse(405, ['Allow', 'GET, HEAD', 'Connection', 'close']))
    return { outcome: 'failed', kind: 'unsupported', detail: `method ${method}; files have GET and HEAD` }
  }
  const source = context.source()
  const reading: Reading = { ...exchange, method, source, onBytes }
  const entry = await source.stat(path, requester)
  if (entry?.kind === 'file') {
    const ending = endingOf(await sendFile(context, entry, reading))
    return entry.decision ? { ...ending, decision: entry.decision } : ending
  }
  const entries = entry?.kind === 'folder' ? await source.list(path, requester) : undefined
  if (entries) {
    const response = withoutBody(method, folderResponse(headers, path, entries, context.pages))
    const sending = response.blocks
      ? sendBlocks(context, response, reading)
      : send(context, response, reading)
    return endingOf(await sending)
  }
  const nearest = wantsPage(headers) ? await nearestFolder(reading) : undefined
  write(res, withoutBody(method, missingResponse(headers, path, nearest)))
  return { outcome: 'failed', kind: 'not-found' }
}

function endingOf(complete: boolean): Ending {
  return { outcome: complete ? 'complete' : 'aborted' }
}

/**
 * Ends a request that failed: with an error response, or by closing the connection when a response has
 * already begun.
 */
function fail({ req, res, path }: Exchange, error: unknown): Ending {
  const kind = failureKind(error)
  if (res.headersSent) res.destroy()
  else write(res, withoutBody(req.method, failureResponse(req.headers, path, error)))
  return { outcome: 'failed', kind, detail: failureMessage(error) }
}

/** Resolves to whether the client got all of the file. */
async function sendFile(context: ServeContext, found: Entry, reading: Reading): Promise<boolean> {
  let entry = found
  for (let attempt = 1; ; attempt++) {
    try {
      return await sendEntry(context, entry, reading)
    } catch (error) {
      // The file was replaced after the lookup, and nothing of the response is out yet: send the new file.
      const { res, source, path, requester } = reading
      if (res.headersSent || attempt >= openAttempts || failureKind(error) !== 'conflict') throw error
      const replacement = await source.stat(path, requester)
      if (replacement?.kind !== 'file') throw error
      entry = replacement
    }
  }
}

async function sendEntry(context: ServeContext, entry: Entry, reading: Reading): Promise<boolean> {
  const { req, res, method, path, requester: who, onBytes } = reading
  const response = fileResponse(entry, { method, path, headers: req.headers, boundary })
  // HEAD, 304, 412 and 416 have no parts: they send no byte of the file, and claim nothing.
  if (response.parts.length > 0) await entry.claim?.()
  if (response.parts.every((part) => part instanceof Uint8Array)) return send(context, response, reading)
  if (entry.size <= smallFileBytes) {
    const bytes = await context.files.load(entry)
    return send(context, fillSpans(response, bytes, entry), reading)
  }
  const file = await entry.open()
  try {
    // A large file takes long: what its client asks for meanwhile comes from the same version of the tree.
    if (entry.decision) context.events({ type: 'fetching', who, decision: entry.decision })
    const { protocol, address: client } = who
    if (entry.size >= largeFile) context.events({ type: 'sending', protocol, client, path, size: entry.size })
    reading.onSending()
    res.writeHead(response.status, response.headers as string[])
    if (!(await sendParts(response.parts, file, res, { pool: context.pool, onBytes }))) return false
    res.end()
    return true
  } finally {
    await file.close()
  }
}

/** The same response with its spans replaced by their bytes. */
function fillSpans(response: HttpResponse, bytes: Uint8Array, entry: Entry): HttpResponse {
  if (bytes.length !== entry.size)
    throw new Failure('conflict', `${entry.name} was cut from ${entry.size} to ${bytes.length} bytes`)
  const parts = response.parts.map((part) =>
    part instanceof Uint8Array ? part : bytes.subarray(part.from, part.from + part.length),
  )
  return { ...response, parts }
}

/** The parts of a body up to this size are joined and sent with one system call. */
const oneWriteBytes = 64 * 1024

/** Sends a response whose parts are all in memory. Resolves to whether the client got all of it. */
async function send(context: ServeContext, response: HttpResponse, reading: Reading): Promise<boolean> {
  const { res, onBytes } = reading
  if (res.destroyed) return false
  const length = bodyLength(response)
  if (length <= oneWriteBytes) {
    write(res, response)
    onBytes(length)
    return true
  }
  reading.onSending()
  res.writeHead(response.status, response.headers as string[])
  if (!(await sendParts(response.parts, undefined, res, { pool: context.pool, onBytes }))) return false
  res.end()
  return true
}

/** Sends a listing block by block: the next one is made when the client has taken the one before. */
async function sendBlocks(context: ServeContext, response: HttpResponse, reading: Reading): Promise<boolean> {
  const { res, onBytes } = reading
  reading.onSending()
  res.writeHead(response.status, response.headers as string[])
  for (const block of response.blocks ?? []) {
    if (!(await sendParts([block], undefined, res, { pool: context.pool, onBytes }))) return false
    // Other requests come in between, also while the client takes everything at once.
    await nextTurn()
  }
  res.end()
  return true
}

/** Writes a small response, whose parts are all in memory. */
export function write(res: ServerResponse, response: HttpResponse): void {
  res.writeHead(response.status, response.headers as string[])
  const parts = response.parts.filter((part) => part instanceof Uint8Array)
  res.end(parts.length <= 1 ? parts[0] : Buffer.concat(parts))
}

function withoutBody(method: string | undefined, response: HttpResponse): HttpResponse {
  if (method !== 'HEAD') return response
  return response.blocks ? { ...response, blocks: [] } : { ...response, parts: [] }
}

function boundary(): string {
  return `treeboot-${randomBytes(18).toString('hex')}`
}

async function nearestFolder({ source, path, requester }: Reading): Promise<CleanPath> {
  let nearest = parentPath(path)
  while (nearest !== '/' && (await source.stat(nearest, requester))?.kind !== 'folder')
    nearest = parentPath(nearest)
  return nearest
}
