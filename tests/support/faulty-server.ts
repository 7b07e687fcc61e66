import { createReadStream, readdirSync, type Stats, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** How the server fails one request. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string }
  /** Announces the whole length, sends so many bytes, and closes the connection. */
  | { readonly kind: 'cut'; readonly after: number }
  /** Changes the first byte. */
  | { readonly kind: 'flip' }
  /** Sends seven bytes more than the file has. */
  | { readonly kind: 'longer' }

export interface FaultyServer {
  readonly url: string
  /** `GET /path` or `GET /path bytes=5-`, in order. */
  readonly requests: string[]
  /** Called before each response; `time` is the number of this request among those for the path, from 1. */
  faultOf: (path: string, time: number) => Fault | undefined
  /** Names that index pages do not show, though they are served. */
  hidden: RegExp | undefined
  /** The answer to every name that is not there, instead of a 404. */
  pageForMissing: string | undefined
}

/**
 * Serves a folder until the test ends, with ranges, ETags and index pages, and with the faults that a test
 * asks for.
 */
export async function faultyServer(folder: string): Promise<FaultyServer> {
  const times = new Map<string, number>()
  const server = createServer((req, res) => {
    const path = decodeURIComponent(new URL(req.url ?? '/', 'http://x').pathname)
    const time = (times.get(path) ?? 0) + 1
    times.set(path, time)
    made.requests.push(`${req.method} ${path}${req.headers.range ? ` ${req.headers.range}` : ''}`)
    respond({ folder, path, fault: made.faultOf(path, time), server: made }, req, res)
  })
  const made: FaultyServer & { url: string } = {
    url: '',
    requests: [],
    faultOf: () => undefined,
    hidden: undefined,
    pageForMissing: undefined,
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const bound = server.address()
  made.url = `http://127.0.0.1:${typeof bound === 'object' && bound ? bound.port : 0}`
  return made
}

interface Requested {
  readonly folder: string
  readonly path: string
  readonly fault: Fault | undefined
  readonly server: FaultyServer
}

function respond(
  { folder, path, fault, server }: Requested,
  req: IncomingMessage,
  res: ServerResponse,
): void {
  if (fault?.kind === 'status') {
    const headers = fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter }
    res.writeHead(fault.status, headers).end()
    return
  }
  const file = join(folder, path)
  const stats = statsOf(file)
  if (!stats) res.writeHead(server.pageForMissing === undefined ? 404 : 200).end(server.pageForMissing)
  else if (stats.isDirectory())
    res.writeHead(200, { 'content-type': 'text/html' }).end(indexPage(file, server.hidden))
  else sendFile(file, stats, fault, { req, res })
}

function indexPage(folder: string, hidden: RegExp | undefined): string {
  const shown = readdirSync(folder).filter((name) => !hidden?.test(name))
  const links = shown.map((name) => {
    const slash = statsOf(join(folder, name))?.isDirectory() ? '/' : ''
    return `<a href="${encodeURIComponent(name)}${slash}">x</a>`
  })
  return `<a href="../">..</a><a href="?C=M">m</a>${links.join('\n')}`
}

function sendFile(
  file: string,
  stats: Stats,
  fault: Fault | undefined,
  { req, res }: { readonly req: IncomingMessage; readonly res: ServerResponse },
): void {
  const etag = `"${stats.size}-${stats.mtimeMs}"`
  const start = startOf(req, etag, stats.size)
  const surplus = Buffer.alloc(fault?.kind === 'longer' ? 7 : 0)
  res.writeHead(start > 0 ? 206 : 200, {
    'content-length': stats.size - start + surplus.length,
    etag,
    'last-modified': stats.mtime.toUTCString(),
    ...(start > 0 && { 'content-range': `bytes ${start}-${stats.size - 1}/${stats.size}` }),
  })
  if (fault?.kind === 'cut') {
    const part = createReadStream(file, { start, end: start + fault.after - 1 })
    // The pause lets the client get these bytes before the connection ends.
    part.on('data', (piece) => res.write(piece, () => setTimeout(() => res.destroy(), 30)))
    return
  }
  const chunks: Buffer[] = []
  createReadStream(file, { start })
    .on('data', (piece) => chunks.push(Buffer.from(piece)))
    .on('end', () => {
      const whole = Buffer.concat([...chunks, surplus])
      if (fault?.kind === 'flip') whole[0] = (whole[0] ?? 0) ^ 1
      res.end(whole)
    })
}

/** The first byte of `Range: bytes=5-`, unless If-Range names another file. */
function startOf({ headers }: IncomingMessage, etag: string, size: number): number {
  const [, from = ''] = /^bytes=(\d+)-$/.exec(headers.range ?? '') ?? []
  const isSameFile = headers['if-range'] === undefined || headers['if-range'] === etag
  return from !== '' && isSameFile && Number(from) < size ? Number(from) : 0
}

/** Also undefined for a path below a file, for which some systems throw. */
function statsOf(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}
