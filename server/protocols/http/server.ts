import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Failure, failureMessage } from '../../core/failure.ts'
import type { RefusedRequest } from '../../core/http-status.ts'
import { requestLimits } from '../../core/limits/requests.ts'
import type { Network } from '../../core/net/network.ts'
import type { Requester } from '../../core/net/requester.ts'
import type { EventSink } from '../../events/bus.ts'
import { BufferPool } from '../../files/buffers.ts'
import { type CleanPath, rootPath } from '../../files/path.ts'
import type { FileSource } from '../../files/source.ts'
import { type ListenAddress, type Listener, listenTcp } from '../listener.ts'
import type { RunningTransfer } from '../stop-grace.ts'
import { Admission } from './clients/admission.ts'
import { type ClientConnection, type ClientLimits, defaultClientLimits } from './clients/clients.ts'
import { type NodeRequest, RequestGate } from './clients/request-gate.ts'
import { FastPath } from './fast/fast-path.ts'
import { FolderPages } from './files/folder-pages.ts'
import { emptyResponse, failureResponse } from './files/response.ts'
import { type ServeContext, serve, write } from './files/serve.ts'
import { SmallFiles } from './files/small-files.ts'
import { type ParserError, type Refuse, refusalText, refusedByParser, unmetExpectation } from './refusals.ts'
import { hostOf, peerOf, requesterOf } from './requester.ts'
import { parseTarget, repairRequestLine, type Target } from './target.ts'

/**
 * Handles the requests that are not for files: the API and the pages. It gets the requester, so that it sees
 * the same client as the namespace does.
 */
export type Fallback = (
  req: IncomingMessage,
  res: ServerResponse,
  requester: Requester,
  /** To be called when a long response begins. */
  onSending: () => void,
) => void

export interface HttpListenerOptions {
  readonly bind: string
  /** 0: any free port. */
  readonly port: number
  /** The namespace, or a function that returns the current one and is called for each request. */
  readonly source: FileSource | (() => FileSource)
  readonly events: EventSink
  /**
   * Whether `fallback` handles a path: the API and the pages. All other paths are looked up in the namespace.
   */
  readonly isAppPath?: (path: CleanPath) => boolean
  /** Handles the paths of `isAppPath`; without it they are looked up, too. */
  readonly fallback?: Fallback
  /** What the application behind `fallback` says of a request that never comes to it. Default: no body. */
  readonly refuse?: Refuse
  /** `http.fast-path` of config.yaml, default true. False: every request goes through node:http. */
  readonly fastPath?: boolean
  readonly limits?: Partial<ClientLimits>
  /** `http.trusted-proxies` of config.yaml. */
  readonly trustedProxies?: readonly Network[]
}

/**
 * How long a client may take to send the head of a request, even when it sends byte by byte.
 */
const headTimeoutMs = requestLimits.httpHead.ms
/**
 * How long a connection may be idle. Installers pause between packages, and an idle connection costs little.
 */
const keepAliveMs = 65_000
/** A transfer that moves no byte for this long is ended, which frees its buffers. */
const stallTimeoutMs = 120_000
/** How long `stop` waits for running transfers. */
const stopGraceMs = 3_000
/**
 * The most connections that wait to be accepted. Node accepts one for each turn of its event loop, so when a room
 * of machines boots, more wait than Node's default of 511; those beyond would be reset.
 */
const backlog = 4096
/** Why a request of a client with too many others is refused. */
const tooCrowded = new Failure('unavailable', 'too many requests of this client wait')

/**
 * The HTTP/1.1 service: `GET` and `HEAD` for every path of the namespace, and the application behind
 * `fallback`.
 */
export class HttpListener implements Listener {
  readonly name = 'http'
  readonly #options: HttpListenerOptions
  readonly #context: ServeContext
  readonly #server: Server
  readonly #admission: Admission
  readonly #fastPath: FastPath
  /** The gates of the connections that node:http has. */
  readonly #gates = new WeakMap<Socket, RequestGate>()
  /** The connections whose request is in progress. */
  readonly #inProgress = new Set<Socket>()
  #address: ListenAddress | undefined
  #closed: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  constructor(options: HttpListenerOptions) {
    this.#options = options
    const { source, events, limits, trustedProxies = [] } = options
    this.#admission = new Admission({ limits: { ...defaultClientLimits, ...limits }, trustedProxies, events })
    this.#context = {
      source: typeof source === 'function' ? source : () => source,
      files: new SmallFiles(),
      pages: new FolderPages(),
      pool: new BufferPool(),
      events,
    }
    this.#server = createServer({
      keepAliveTimeout: keepAliveMs,
      maxHeaderSize: requestLimits.httpHead.bytes,
      headersTimeout: headTimeoutMs,
      connectionsCheckingInterval: 5_000, // how often node looks for heads that are late
      // A request of HTTP/1.1 without Host is taken, as HTTP/1.0 is: firmware that boots sends what it likes.
      requireHostHeader: false,
      requestTimeout: 0, // an upload of an ISO takes long; the socket's timeout ends a stalled upload
    })
    this.#server.timeout = stallTimeoutMs
    // `resume` begins the reading: a connection that waits for its turn stays unread.
    Object.assign(this.#server, { pauseOnConnect: true })
    const arrived = (req: IncomingMessage, res: ServerResponse): void =>
      this.#gates.get(req.socket)?.arrived({ req, res })
    this.#server.on('request', arrived)
    // A request as any other, which waits for its turn: node:http would answer it by itself. See `#onRequest`.
    this.#server.on('checkExpectation', arrived)
    this.#server.on('connect', (req, socket) => this.#onConnectMethod(req, socket as Socket))
    this.#server.on('clientError', (error, socket) => this.#onClientError(error, socket as Socket))
    this.#fastPath = this.#putFastPathFirst()
  }

  get address(): ListenAddress | undefined {
    return this.#address
  }

  async start(): Promise<void> {
    const { bind, port, events } = this.#options
    this.#address = await listenTcp(this.#server, { service: 'http', bind, port, backlog, events })
  }

  refuseNew(): void {
    this.#closed ??= new Promise((resolve) => {
      if (!this.#server.listening) return resolve()
      this.#server.close(() => resolve())
      this.#fastPath.stop('idle')
    })
  }

  *transfers(): Iterable<RunningTransfer> {
    for (const socket of this.#inProgress)
      yield { key: socket, moved: socket.bytesWritten + socket.bytesRead }
  }

  stop(how?: 'now'): Promise<void> {
    this.refuseNew()
    this.#stopped ??= this.#close()
    if (how === 'now') this.#cut()
    return this.#stopped
  }

  async #close(): Promise<void> {
    const late = setTimeout(() => this.#cut(), stopGraceMs)
    await this.#closed
    clearTimeout(late)
  }

  #cut(): void {
    this.#server.closeAllConnections()
    this.#fastPath.stop('now')
  }

  /**
   * New connections go to the fast path, and from there to node:http. With the fast path switched off they
   * still pass through it: their first bytes are needed to repair the request lines of boot loaders.
   */
  #putFastPathFirst(): FastPath {
    const server = this.#server
    const nodeListeners = server.listeners('connection')
    const { isAppPath, fastPath: enabled = true } = this.#options
    const fastPath = new FastPath({
      enabled,
      stat: (path, requester) => this.#context.source().stat(path, requester),
      isAppPath: isAppPath ?? (() => false),
      files: this.#context.files,
      firstTimeoutMs: headTimeoutMs,
      keepAliveMs,
      handOver: (connection, bytes, isFirst) => {
        const { socket } = connection
        for (const listener of nodeListeners) listener.call(server, socket)
        this.#putGateBefore(connection).receive(isFirst ? repairRequestLine(bytes) : bytes)
      },
      served: (requester, path, { size: bytes, decision }, startedMs) =>
        this.#options.events({
          type: 'served',
          protocol: requester.protocol,
          client: requester.address,
          path,
          outcome: 'complete',
          bytes,
          ms: performance.now() - startedMs,
          ...(decision && { decision }),
          who: requester,
        }),
    })
    server.removeAllListeners('connection')
    server.on('connection', (socket) =>
      this.#admission.admit(socket, (connection) => fastPath.accept(connection)),
    )
    return fastPath
  }

  /** Takes the place of node's own listener for bytes, which gets them from the gate. */
  #putGateBefore(connection: ClientConnection): RequestGate {
    const { socket } = connection
    const nodeListeners = socket.listeners('data')
    socket.removeAllListeners('data')
    const parse = (bytes: Buffer): void => {
      for (const listener of nodeListeners) listener.call(socket, bytes)
    }
    const gate = new RequestGate(connection, parse, (request) => this.#enter(connection, request))
    this.#gates.set(socket, gate)
    return gate
  }

  /** Waits for the turn of the request among those of its client. */
  #enter(connection: ClientConnection, request: NodeRequest): void {
    const { req, res } = request
    const { socket } = connection
    if (connection.client.crowded || this.#closed !== undefined) res.shouldKeepAlive = false
    this.#inProgress.add(socket)
    res.once('close', () => {
      this.#inProgress.delete(socket)
      // The response may have begun before the stop, and then has promised to keep the connection.
      if (this.#closed !== undefined) socket.end()
    })
    this.#admission.enter(connection, req.headers, res, {
      begin: (give) => this.#onRequest(request, give),
      refuse: () => {
        res.shouldKeepAlive = false
        write(res, failureResponse(req.headers, rootPath, tooCrowded))
      },
    })
  }

  /** @param onSending Called when a long response begins, which may take its client long to read. */
  #onRequest({ req, res }: NodeRequest, onSending: () => void): void {
    const { socket } = req
    let target: Target
    try {
      target = parseTarget(req.url ?? '')
    } catch (error) {
      const message = failureMessage(error)
      this.#refuse(res, { status: 400, message, target: req.url ?? '' })
      this.#noise(socket, message)
      return
    }
    const expectation = expectationOf(req)
    if (expectation !== undefined) {
      this.#refuse(res, unmetExpectation(req.url ?? '', expectation))
      return
    }
    const { path, query, host } = target
    const requester = requesterOf(peerOf(socket), req.headers, query, host ?? hostOf(socket, req.headers))
    const { fallback, isAppPath } = this.#options
    if (fallback && isAppPath?.(path)) fallback(req, res, requester, onSending)
    else void serve(this.#context, { req, res, path, requester, onSending })
  }

  #refuse(res: ServerResponse, refused: RefusedRequest): void {
    const { status } = refused
    // Nobody reads its body. A client that waits for 100 Continue sends none.
    if (status === 417) res.shouldKeepAlive = false
    const refusal = this.#options.refuse?.(refused)
    if (refusal) {
      const length = { 'Content-Length': Buffer.byteLength(refusal.body) }
      res.writeHead(status, { ...refusal.headers, ...length }).end(refusal.body)
    } else write(res, emptyResponse(status))
  }

  /** CONNECT asks for a tunnel, which this server never makes. Node gives no response object for it. */
  #onConnectMethod({ url: target = '' }: IncomingMessage, socket: Socket): void {
    const message = 'CONNECT is for proxies, and this server is not one'
    this.#noise(socket, message)
    this.#refuseOnSocket(socket, { status: 501, message, target })
  }

  /** Replies to what node's parser refuses. */
  #onClientError(error: ParserError, socket: Socket): void {
    // A client that is gone needs no reply. EDK2 resets every connection once it has its file.
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE' || !socket.writable)
      return void socket.destroy()
    const refused = refusedByParser(error)
    this.#noise(socket, refused.message)
    this.#refuseOnSocket(socket, refused)
  }

  #refuseOnSocket(socket: Socket, refused: RefusedRequest): void {
    // While a response is being sent, a second status line would become part of the file.
    if (this.#gates.get(socket)?.isSending) return void socket.destroy()
    socket.end(refusalText(refused, this.#options.refuse?.(refused)))
    socket.destroySoon()
  }

  #noise(socket: Socket, message: string): void {
    const { address: client } = peerOf(socket)
    this.#options.events({ type: 'noise', protocol: 'http', client, message })
  }
}

/** What a request of HTTP/1.1 expects beside `100-continue`. HTTP/1.0 has no expectations (RFC 9110 section 10.1.1). */
function expectationOf({ headers: { expect }, httpVersion }: IncomingMessage): string | undefined {
  return httpVersion === '1.1' && expect !== undefined && !/100-continue/i.test(expect) ? expect : undefined
}
