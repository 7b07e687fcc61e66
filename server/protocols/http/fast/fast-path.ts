import type { Socket } from 'node:net'
import type { Requester } from '../../../core/net/requester.ts'
import type { CleanPath } from '../../../files/path.ts'
import type { Entry } from '../../../files/source.ts'
import type { ClientConnection } from '../clients/clients.ts'
import { wholeHeaders } from '../files/response.ts'
import { type SmallFiles, smallFileBytes } from '../files/small-files.ts'
import { type Peer, peerOf } from '../requester.ts'
import { type PlainGet, parsePlainGet } from './plain-get.ts'

export interface FastPathOptions {
  /** False (`http.fast-path: false`): each connection goes to node:http with its first bytes. */
  readonly enabled: boolean
  readonly stat: (path: CleanPath, requester: Requester) => Promise<Entry | undefined>
  /** Paths of the application, which node:http gives to it. */
  readonly isAppPath: (path: CleanPath) => boolean
  readonly files: SmallFiles
  /** Gives the connection to node:http with the bytes read so far. `isFirst`: no request came before them. */
  readonly handOver: (connection: ClientConnection, read: Buffer, isFirst: boolean) => void
  /** Called when a whole file was written to the socket. */
  readonly served: (requester: Requester, path: CleanPath, entry: Entry, startedMs: number) => void
  /** How long a connection may take to send its first request. */
  readonly firstTimeoutMs: number
  /** How long a connection may be idle between two requests. */
  readonly keepAliveMs: number
}

/** A longer request goes to node:http. */
const maxRequestBytes = 2048

/**
 * The fast path: serves the plain `GET` of a small file without node:http. One packet in, one lookup, one
 * write out: that is about twice as many requests per second.
 *
 * Every other request goes to node:http, and its connection stays there: another method, a Range or
 * condition, a query, a header that is not known to be harmless, half a request, two at once, a folder, a
 * large or missing file, a request that must wait for its turn. The response is the same on both paths:
 * `tests/protocols/http/both-paths.test.ts` sends random requests through both.
 */
export class FastPath {
  readonly #options: FastPathOptions
  readonly #heads: ResponseHeads
  readonly #connections = new Set<FastConnection>()

  constructor(options: FastPathOptions) {
    this.#options = options
    this.#heads = new ResponseHeads(options.keepAliveMs)
  }

  /** Takes a new connection. */
  accept(accepted: ClientConnection): void {
    const connection = new FastConnection(accepted, this.#options, this.#heads, () =>
      this.#connections.delete(connection),
    )
    this.#connections.add(connection)
    accepted.socket.resume()
  }

  /** `idle`: closes connections that wait for a request, and the others after their response. `now`: all. */
  stop(how: 'idle' | 'now'): void {
    for (const connection of this.#connections) connection.stop(how)
  }
}

/** A connection from its beginning until node:http gets it or it is closed. */
class FastConnection {
  readonly #connection: ClientConnection
  readonly #socket: Socket
  readonly #options: FastPathOptions
  readonly #heads: ResponseHeads
  readonly #onRelease: () => void
  readonly #peer: Peer
  #requester: Requester
  /** The last request, as text and parsed: a client that keeps its connection often sends the same again. */
  #lastText = ''
  #lastGet: PlainGet | undefined
  /** Whether a request is in progress. */
  #busy = false
  /** Bytes of a next request that came before the response went out. */
  #early: Buffer | undefined
  /** Whether the client has closed its side. */
  #ended = false
  #responses = 0
  #stopping = false
  #released = false

  constructor(
    connection: ClientConnection,
    options: FastPathOptions,
    heads: ResponseHeads,
    onRelease: () => void,
  ) {
    const { socket } = connection
    this.#connection = connection
    this.#socket = socket
    this.#options = options
    this.#heads = heads
    this.#onRelease = onRelease
    this.#peer = peerOf(socket)
    this.#requester = this.#peer
    socket.setTimeout(options.firstTimeoutMs)
    socket
      .on('data', this.#onData)
      .on('end', this.#onEnd)
      .on('timeout', this.#onTimeout)
      .on('error', ignore)
      .on('close', this.#release)
  }

  stop(how: 'idle' | 'now'): void {
    this.#stopping = true
    if (!this.#busy || how === 'now') this.#socket.destroy()
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#busy) {
      this.#early = this.#early ? Buffer.concat([this.#early, chunk]) : chunk
      if (this.#early.length > maxRequestBytes) this.#socket.pause()
      return
    }
    const get = this.#parse(chunk)
    if (get && !this.#options.isAppPath(get.path) && this.#connection.client.requests.take()) {
      this.#busy = true
      this.#connection.requestBegins()
      void this.#respond(get.path, chunk)
    } else this.#handOver(chunk)
  }

  #parse(chunk: Buffer): PlainGet | undefined {
    if (!this.#options.enabled || chunk.length > maxRequestBytes) return undefined
    const text = chunk.toString('latin1')
    if (text === this.#lastText) return this.#lastGet
    this.#lastText = text
    this.#lastGet = parsePlainGet(text)
    if (this.#lastGet) {
      const { host, agent } = this.#lastGet
      this.#requester = { ...this.#peer, host, ...(agent !== undefined && { agent }) }
    }
    return this.#lastGet
  }

  async #respond(path: CleanPath, request: Buffer): Promise<void> {
    const startedMs = performance.now()
    const requester = this.#requester
    const { stat, files, served } = this.#options
    let entry: Entry | undefined
    let bytes: Uint8Array | undefined
    try {
      entry = await stat(path, requester)
      // A file with a claim goes to node:http: claims are made only there, where a failure is reported.
      if (entry?.kind === 'file' && entry.size <= smallFileBytes && !entry.claim)
        bytes = files.peek(entry) ?? (await files.load(entry))
    } catch {
      bytes = undefined // node:http gets the same failure and reports it
    }
    const { client } = this.#connection
    client.requests.give()
    if (this.#released) return
    if (!entry || bytes?.length !== entry.size) return this.#handOver(request)
    this.#stopping ||= client.crowded
    const head = this.#heads.of(entry, path, this.#stopping)
    const whole = Buffer.allocUnsafe(head.length + bytes.length)
    whole.set(head)
    whole.set(bytes, head.length)
    const flushed = this.#socket.write(whole)
    this.#responses++
    served(requester, path, entry, startedMs)
    if (flushed) this.#next()
    else this.#socket.once('drain', () => this.#next())
  }

  #next(): void {
    if (this.#released) return
    if (this.#stopping || (this.#ended && !this.#early)) return void this.#socket.end()
    this.#socket.setTimeout(this.#options.keepAliveMs)
    this.#busy = false
    if (this.#early) this.#handOver(this.#early)
    else this.#connection.requestEnded()
  }

  #handOver(read: Buffer): void {
    const early = read === this.#early ? undefined : this.#early
    this.#release()
    this.#socket.setTimeout(0)
    this.#options.handOver(
      this.#connection,
      early ? Buffer.concat([read, early]) : read,
      this.#responses === 0,
    )
  }

  /** The client closed its side. Without this the socket would stay half open until its timeout. */
  readonly #onEnd = (): void => {
    this.#ended = true
    if (!this.#busy) this.#socket.end()
  }

  /**
   * The client was idle for too long, or does not read its response. The time that we take to make the
   * response does not count.
   */
  readonly #onTimeout = (): void => {
    if (!this.#busy || this.#socket.writableLength > 0) this.#socket.destroy()
  }

  readonly #release = (): void => {
    if (this.#released) return
    this.#released = true
    this.#onRelease()
    this.#socket
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('timeout', this.#onTimeout)
      .off('error', ignore)
      .off('close', this.#release)
  }
}

/** EDK2 resets the connection after each file. The event 'close' follows, which releases the connection. */
function ignore(): void {}

/** Makes the heads of responses. A head is kept by entry, until the second in its Date changes. */
class ResponseHeads {
  readonly #kept = new WeakMap<Entry, { second: number; path: CleanPath; head: Buffer }>()
  readonly #keepAliveSeconds: number

  constructor(keepAliveMs: number) {
    this.#keepAliveSeconds = Math.floor(keepAliveMs / 1000)
  }

  /** @param isLast Whether the connection ends with this response. */
  of(entry: Entry, path: CleanPath, isLast: boolean): Buffer {
    const second = Math.floor(Date.now() / 1000)
    const kept = this.#kept.get(entry)
    if (kept?.second === second && kept.path === path && !isLast) return kept.head
    let text = 'HTTP/1.1 200 OK\r\n'
    const headers = wholeHeaders(entry, path)
    for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`
    text += `Date: ${new Date(second * 1000).toUTCString()}\r\n`
    text += isLast
      ? 'Connection: close\r\n\r\n'
      : `Connection: keep-alive\r\nKeep-Alive: timeout=${this.#keepAliveSeconds}\r\n\r\n`
    const head = Buffer.from(text, 'latin1')
    if (!isLast) this.#kept.set(entry, { second, path, head })
    return head
  }
}
