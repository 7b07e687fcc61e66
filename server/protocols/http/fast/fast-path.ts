import type { Socket } from 'node:net'
import type { Requester } from '../../../core/net/requester.ts'
import type { CleanPath } from '../../../files/path.ts'
import type { Entry } from '../../../files/source.ts'
import type { Peer } from '../requester.ts'
import { wholeHeaders } from '../response.ts'
import { parseTarget } from '../target.ts'
import { type SmallFiles, smallFileBytes } from './small-files.ts'

/**
 * The plain `GET` of a small file, answered without node:http: one packet in, one lookup, one write out, at about
 * twice the requests per second. Everything that is not plainly that (another method, a Range or condition, a
 * query, a header we do not know to be harmless, half a request, two at once, a folder, a large or missing file) is
 * handed with its connection to node:http, for good, and answered there. The answer is the same either way; tests
 * run every exchange through both lanes.
 */
export interface FastLane {
  /** Takes a new connection. */
  accept(socket: Socket): void
  /** `idle`: closes connections that wait for a request, and the others after their answer. `now`: all. */
  stop(how: 'idle' | 'now'): void
}

export interface FastLaneOptions {
  readonly peerOf: (socket: Socket) => Peer
  readonly stat: (path: CleanPath, who: Requester) => Promise<Entry | undefined>
  /** Paths that somebody else answers. */
  readonly isOthers: (path: CleanPath) => boolean
  readonly files: SmallFiles
  /** Gives the connection to node:http together with the bytes read so far. */
  readonly handOver: (socket: Socket, read: Buffer) => void
  readonly served: (who: Requester, path: CleanPath, entry: Entry, startedMs: number) => void
  /** How long a connection may wait for its first request, and for the next. */
  readonly firstTimeoutMs: number
  readonly keepAliveMs: number
}

/** A request that the fast lane understands. */
interface PlainGet {
  readonly path: CleanPath
  readonly host: string
}

const maxRequestBytes = 2048

/** Headers that change nothing about the answer. Whatever else comes, the other lane looks at it. */
const harmless = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'pragma',
  'user-agent',
  'x-anaconda-architecture',
  'x-anaconda-system-release',
])

/** The request, when these bytes are exactly one plain GET; otherwise undefined. */
export function readPlainGet(text: string): PlainGet | undefined {
  if (!text.startsWith('GET /') || !text.endsWith('\r\n\r\n')) return undefined
  const [first = '', ...lines] = text.slice(0, -4).split('\r\n')
  const target = /^GET (\/[\x21-\x3e\x40-\x7e]*) HTTP\/1\.1$/.exec(first)?.[1]
  if (target === undefined) return undefined
  let host: string | undefined
  for (const line of lines) {
    const [, name = '', value = ''] = /^([A-Za-z-]+):[ \t]*([\x20-\x7e]*)$/.exec(line) ?? []
    const lower = name.toLowerCase()
    if (lower === 'host' && host === undefined) host = value.trim()
    else if (lower === 'connection' ? value.trim().toLowerCase() !== 'keep-alive' : !harmless.has(lower))
      return undefined
  }
  if (!host) return undefined
  try {
    return { path: parseTarget(target).path, host }
  } catch {
    return undefined
  }
}

export function fastLane(options: FastLaneOptions): FastLane {
  const open = new Map<Socket, { busy: boolean }>()
  const headOf = headWriter(options.keepAliveMs)
  let stopping = false

  const accept = (socket: Socket): void => {
    const state = { busy: false }
    const peer = options.peerOf(socket)
    let lastText = ''
    let last: PlainGet | undefined
    let who: Requester = peer
    let early: Buffer | undefined // bytes of a next request that came before the answer went out

    const release = (): void => {
      open.delete(socket)
      socket.off('data', onData).off('timeout', onTimeout).off('error', ignore).off('close', release)
    }
    const handOver = (read: Buffer): void => {
      release()
      socket.setTimeout(0)
      options.handOver(socket, early ? Buffer.concat([read, early]) : read)
    }
    // Idle too long, or not reading its answer. While the answer is being made the waiting is ours.
    const onTimeout = (): void => {
      if (!state.busy || socket.writableLength > 0) socket.destroy()
    }

    const onData = (chunk: Buffer): void => {
      if (state.busy) {
        early = early ? Buffer.concat([early, chunk]) : chunk
        if (early.length > maxRequestBytes) socket.pause()
        return
      }
      const text = chunk.toString('latin1')
      // A client that keeps its connection sends the same headers again and again, and often the same path.
      if (text !== lastText) {
        last = chunk.length > maxRequestBytes ? undefined : readPlainGet(text)
        lastText = text
        if (last) who = { ...peer, host: last.host }
      }
      if (last && !options.isOthers(last.path)) {
        state.busy = true
        void answer(last.path, chunk)
      } else handOver(chunk)
    }

    const answer = async (path: CleanPath, request: Buffer): Promise<void> => {
      const startedMs = performance.now()
      let entry: Entry | undefined
      let bytes: Uint8Array | undefined
      try {
        entry = await options.stat(path, who)
        if (entry?.kind === 'file' && entry.size <= smallFileBytes && !entry.claim)
          bytes = options.files.peek(entry) ?? (await options.files.load(entry))
      } catch {
        bytes = undefined // the other lane meets the same trouble and tells about it
      }
      if (!open.has(socket)) return
      if (!entry || !bytes || bytes.length !== entry.size) return handOver(request)
      const head = headOf(entry, path)
      const whole = Buffer.allocUnsafe(head.length + bytes.length)
      whole.set(head)
      whole.set(bytes, head.length)
      const flushed = socket.write(whole)
      options.served(who, path, entry, startedMs)
      if (flushed) next()
      else socket.once('drain', next)
    }

    const next = (): void => {
      if (!open.has(socket)) return
      if (stopping) {
        socket.end()
        return
      }
      socket.setTimeout(options.keepAliveMs)
      state.busy = false
      if (!early) return
      const read = early
      early = undefined
      handOver(read)
    }

    open.set(socket, state)
    socket.setTimeout(options.firstTimeoutMs)
    socket.on('data', onData).on('timeout', onTimeout).on('error', ignore).on('close', release)
  }

  return {
    accept,
    stop(how) {
      stopping = true
      for (const [socket, { busy }] of open) if (!busy || how === 'now') socket.destroy()
    },
  }
}

/** EDK2 resets the connection after each file. 'close' follows and does the tidying. */
function ignore(): void {}

/** Response heads, kept by entry and made anew when the second in Date moves on. */
function headWriter(keepAliveMs: number): (entry: Entry, path: CleanPath) => Buffer {
  const kept = new WeakMap<Entry, { second: number; path: CleanPath; head: Buffer }>()
  return (entry, path) => {
    const second = Math.floor(Date.now() / 1000)
    const known = kept.get(entry)
    if (known?.second === second && known.path === path) return known.head
    let text = 'HTTP/1.1 200 OK\r\n'
    const headers = wholeHeaders(entry, path)
    for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`
    text += `Date: ${new Date(second * 1000).toUTCString()}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1000)}\r\n\r\n`
    const head = Buffer.from(text, 'latin1')
    kept.set(entry, { second, path, head })
    return head
  }
}
