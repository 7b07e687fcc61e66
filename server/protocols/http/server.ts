import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { failureKind, failureMessage } from '../../core/failure.ts'
import { httpStatus } from '../../core/http-status.ts'
import type { Requester } from '../../core/net/requester.ts'
import type { EventSink } from '../../events/bus.ts'
import { BufferPool } from '../../files/buffers.ts'
import type { CleanPath } from '../../files/path.ts'
import type { FileSource } from '../../files/source.ts'
import { cannotListen, type ListenAddress, type Listener } from '../listener.ts'
import { type FastLane, fastLane } from './fast/fast-path.ts'
import { repairRequestLine } from './fast/request-line.ts'
import { SmallFiles } from './fast/small-files.ts'
import { type Peer, peerOf, requesterOf } from './requester.ts'
import { type Means, respond, write } from './respond.ts'
import { emptyAnswer } from './response.ts'
import { parseTarget, type Target } from './target.ts'

/** An application behind the service. It is told who asks, so that it sees the same client as the namespace does. */
export type Fallback = (req: IncomingMessage, res: ServerResponse, requester: Requester) => void

export interface HttpListenerOptions {
  readonly bind: string
  /** 0: any free port. */
  readonly port: number
  /** The namespace, or how to get the current one: it is asked for once per request. */
  readonly source: FileSource | (() => FileSource)
  readonly events: EventSink
  /** Paths that `fallback` answers: the API and the pages. All others are looked up in the namespace. */
  readonly isAppPath?: (path: CleanPath) => boolean
  readonly fallback?: Fallback
  /** Off: every request goes through node:http. The answers are the same; for tests and for finding faults. */
  readonly fastLane?: boolean
}

/** A connection must have sent its request's head by then: a client that drips bytes gets no further. */
const headTimeoutMs = 30_000
/** How long an idle connection may stay. Installers pause between packages; a minute costs us a socket and nothing more. */
const keepAliveMs = 65_000
/** A transfer that moves no byte for so long is given up, and its buffers are free again. */
const stallTimeoutMs = 120_000
/** How long `stop` lets running transfers go on. */
const stopGraceMs = 3_000

/** HTTP/1.1: every path of the namespace for `GET` and `HEAD`, and the application behind `fallback`. */
export class HttpListener implements Listener {
  readonly name = 'http'
  readonly #options: HttpListenerOptions
  readonly #means: Means
  readonly #server: Server
  readonly #lane: FastLane
  /** One entry per connection that is in the middle of an answer of node:http. */
  readonly #answering = new WeakSet<Socket>()
  #address: ListenAddress | undefined
  #stopped: Promise<void> | undefined

  constructor(options: HttpListenerOptions) {
    this.#options = options
    const { source } = options
    this.#means = {
      source: typeof source === 'function' ? source : () => source,
      files: new SmallFiles(),
      pool: new BufferPool(),
      events: options.events,
    }
    this.#server = createServer({
      keepAliveTimeout: keepAliveMs,
      headersTimeout: headTimeoutMs,
      connectionsCheckingInterval: 5_000,
      requestTimeout: 0, // an upload of an ISO takes as long as it takes; a stalled one ends by the socket's timeout
    })
    this.#server.timeout = stallTimeoutMs
    this.#server.on('request', (req, res) => this.#onRequest(req, res))
    this.#server.on('clientError', (error, socket) => this.#onClientError(error, socket as Socket))
    this.#lane = this.#putFastLaneFirst()
  }

  get address(): ListenAddress | undefined {
    return this.#address
  }

  start(): Promise<void> {
    const { bind, port } = this.#options
    return new Promise((resolve, reject) => {
      const refuse = (error: NodeJS.ErrnoException): void =>
        reject(cannotListen(error, { service: 'http', bind, port }))
      this.#server.once('error', refuse)
      this.#server.listen({ host: bind, port }, () => {
        this.#server.off('error', refuse)
        this.#server.on('error', (error) =>
          this.#options.events({ type: 'trouble', where: 'http', message: failureMessage(error) }),
        )
        const bound = this.#server.address()
        if (bound && typeof bound === 'object') this.#address = { host: bound.address, port: bound.port }
        resolve()
      })
    })
  }

  stop(): Promise<void> {
    this.#stopped ??= new Promise((resolve) => {
      if (!this.#server.listening) return resolve()
      const late = setTimeout(() => {
        this.#server.closeAllConnections()
        this.#lane.stop('now')
      }, stopGraceMs)
      this.#server.close(() => {
        clearTimeout(late)
        resolve()
      })
      this.#lane.stop('idle')
    })
    return this.#stopped
  }

  /** New connections go to the fast lane, which gives to node:http whatever is not its own. */
  #putFastLaneFirst(): FastLane {
    const server = this.#server
    const toNode = server.listeners('connection')
    const lane = fastLane({
      peerOf: (socket) => peerOf(socket),
      stat: (path, who) => this.#means.source().stat(path, who),
      isOthers: (path) => this.#options.isAppPath?.(path) ?? false,
      files: this.#means.files,
      firstTimeoutMs: headTimeoutMs,
      keepAliveMs,
      handOver: (socket, read) => {
        for (const listener of toNode) listener.call(server, socket)
        socket.unshift(repairRequestLine(read))
        socket.resume()
      },
      served: (who, path, { size, decision }, startedMs) =>
        this.#options.events({
          type: 'served',
          protocol: who.protocol,
          client: who.address,
          path,
          outcome: 'complete',
          bytes: size,
          ms: performance.now() - startedMs,
          ...(decision && { decision }),
          who,
        }),
    })
    if (this.#options.fastLane === false) return lane
    server.removeAllListeners('connection')
    server.on('connection', (socket) => lane.accept(socket))
    return lane
  }

  #onRequest(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req
    this.#answering.add(socket)
    res.once('close', () => this.#answering.delete(socket))
    let target: Target
    try {
      target = parseTarget(req.url ?? '')
    } catch (error) {
      write(res, emptyAnswer(httpStatus[failureKind(error)].files))
      this.#noise(socket, failureMessage(error))
      return
    }
    const requester = requesterOf(peerOf(socket), req.headers, target.query, target.host)
    const { fallback, isAppPath } = this.#options
    if (fallback && isAppPath?.(target.path)) fallback(req, res, requester)
    else void respond(this.#means, req, res, target.path, requester)
  }

  /** Whatever node's parser refuses: GRUB's request lines with raw spaces, a TLS handshake, binary junk, a head that never ends. */
  #onClientError(error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket: Socket): void {
    // EDK2 resets every connection once it has its file.
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE' || !socket.writable)
      return void socket.destroy()
    const status =
      error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
    const tls = error.rawPacket?.[0] === 0x16
    this.#noise(
      socket,
      tls ? 'a TLS handshake on the plain HTTP port; use http:// here' : failureMessage(error),
    )
    // In the middle of an answer another status line would end up inside a file.
    if (this.#answering.has(socket)) return void socket.destroy()
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
    socket.destroySoon()
  }

  #noise(socket: Socket, message: string): void {
    const client: Peer = peerOf(socket)
    this.#options.events({ type: 'noise', protocol: 'http', client: client.address, message })
  }
}
