import { createReadStream, readdirSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** What the server does with one request instead of answering it well. */
export type Mood =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string }
  /** Says the whole length, sends so many bytes, and breaks the connection. */
  | { readonly kind: 'cut'; readonly after: number }
  /** Sends one byte changed. */
  | { readonly kind: 'flip' }
  /** Announces more than there is, or sends more than anybody asked for. */
  | { readonly kind: 'longer' }
  | { readonly kind: 'no-ranges' }

export interface MoodyServer {
  readonly url: string
  /** `GET /path` or `GET /path bytes=5-`, in order. */
  readonly requests: string[]
  /** Asked before each answer, with the count of requests for this path so far. */
  mood: (path: string, time: number) => Mood | undefined
}

/** Serves a folder, with ranges, etags and index pages, and behaves as badly as a test wants. */
export async function moodyServer(folder: string): Promise<MoodyServer> {
  const times = new Map<string, number>()
  const server = createServer((req, res) => {
    const path = decodeURIComponent(new URL(req.url ?? '/', 'http://x').pathname)
    const time = (times.get(path) ?? 0) + 1
    times.set(path, time)
    made.requests.push(`${req.method} ${path}${req.headers.range ? ` ${req.headers.range}` : ''}`)
    answer(folder, path, made.mood(path, time), req, res)
  })
  const made: MoodyServer & { url: string } = { url: '', requests: [], mood: () => undefined }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const bound = server.address()
  made.url = `http://127.0.0.1:${typeof bound === 'object' && bound ? bound.port : 0}`
  return made
}

function answer(
  folder: string,
  path: string,
  mood: Mood | undefined,
  req: IncomingMessage,
  res: ServerResponse,
): void {
  const stats = statsOf(join(folder, path))
  if (mood?.kind === 'status') {
    res.writeHead(mood.status, mood.retryAfter === undefined ? {} : { 'retry-after': mood.retryAfter }).end()
    return
  }
  if (!stats) return void res.writeHead(404).end()
  if (stats.isDirectory()) {
    const links = readdirSync(join(folder, path)).map((name) => {
      const slash = statsOf(join(folder, path, name))?.isDirectory() ? '/' : ''
      return `<a href="${encodeURIComponent(name)}${slash}">x</a>`
    })
    res
      .writeHead(200, { 'content-type': 'text/html' })
      .end(`<a href="../">..</a><a href="?C=M">m</a>${links.join('\n')}`)
    return
  }
  const etag = `"${stats.size}-${stats.mtimeMs}"`
  const [, from = ''] = /^bytes=(\d+)-$/.exec(req.headers.range ?? '') ?? []
  const fits = req.headers['if-range'] === undefined || req.headers['if-range'] === etag
  const start =
    from !== '' && fits && mood?.kind !== 'no-ranges' && Number(from) < stats.size ? Number(from) : 0
  const length = stats.size - start + (mood?.kind === 'longer' ? 7 : 0)
  const range = start > 0 ? { 'content-range': `bytes ${start}-${stats.size - 1}/${stats.size}` } : {}
  res.writeHead(start > 0 ? 206 : 200, {
    'content-length': length,
    etag,
    'last-modified': stats.mtime.toUTCString(),
    ...range,
  })
  if (mood?.kind === 'cut') {
    const part = createReadStream(join(folder, path), { start, end: start + mood.after - 1 })
    part.on('data', (piece) => res.write(piece, () => setTimeout(() => res.destroy(), 30)))
    return
  }
  const chunks: Buffer[] = []
  createReadStream(join(folder, path), { start })
    .on('data', (piece) => chunks.push(Buffer.from(piece)))
    .on('end', () => {
      const whole = Buffer.concat([...chunks, Buffer.alloc(mood?.kind === 'longer' ? 7 : 0)])
      if (mood?.kind === 'flip') whole[0] = (whole[0] ?? 0) ^ 1
      res.end(whole)
    })
}

/** A file has nothing below it; some systems throw for that. */
function statsOf(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}
