/**
 * The TFTP service: read-only, RFC 1350 with the options of RFC 2347, 2348, 2349 and 7440.
 *
 * The way from a read request (RRQ) to the bytes of a file:
 *
 *  1. node/listen-socket.ts     a datagram arrives
 *  2. wire/packet.ts            the datagram is decoded to an RRQ
 *  3. transfer/sessions.ts      it is admitted, unless it repeats a request or a limit is reached
 *  4. wire/request.ts           its file name becomes a path; the FileSource gives the entry at that path
 *  5. transfer/file-cache.ts    the entry gets a buffer (file-buffer.ts), which a reader fills
 *     (file-readers.ts)
 *  6. wire/options.ts           block size, window size and timeout are agreed; the OACK is made
 *  7. backends.ts               the backend is chosen: Node's sockets, or system calls for long transfers on
 *     Linux
 *  8. node/node-backend.ts      picks a UDP port (transfer/ports.ts, node-port.ts) and starts
 *     node-transfer.ts
 *     native/native-backend.ts  or gives the job to its thread: worker.ts, native-port.ts, native-transfer.ts
 *  9. transfer/transfer.ts      the state machine says for each ACK which packets to send
 * 10. wire/packet.ts            DATA: a header, then octets copied from the buffer
 * 11. served-event.ts           the end of the transfer becomes an event
 */
import type { RemoteInfo } from 'node:dgram'
import { Failure } from '../../core/failure.ts'
import { plainAddress } from '../../core/net/address.ts'
import type { Requester } from '../../core/net/requester.ts'
import { type EventSink, largeFile } from '../../events/bus.ts'
import type { CleanPath } from '../../files/path.ts'
import type { Entry, FileSource } from '../../files/source.ts'
import type { ListenAddress, Listener } from '../listener.ts'
import { RateLimit } from '../rate-limit.ts'
import type { RunningTransfer } from '../stop-grace.ts'
import { Backends, type NativeMode } from './backends.ts'
import { type ListenSocket, ListenSockets } from './node/listen-socket.ts'
import { type ServedRequest, servedEvent } from './served-event.ts'
import type { TransferResult } from './transfer/backend.ts'
import { FileCache, type MemoryLimits } from './transfer/file-cache.ts'
import { type Session, type SessionLimits, Sessions } from './transfer/sessions.ts'
import { type ErrorCode, errorCode, errorPacket, errorReply } from './wire/error.ts'
import { defaultOptionLimits, negotiate, type OptionLimits } from './wire/options.ts'
import { decodePacket, encodePacket, type Packet } from './wire/packet.ts'
import { requesterOf, requestPath } from './wire/request.ts'

export interface TftpLimits extends SessionLimits, MemoryLimits {
  /** The most that we agree to of each TFTP option. */
  readonly options: OptionLimits
  /** How long `stop` waits for running transfers. */
  readonly stopMs: number
}

export const defaultLimits: TftpLimits = {
  transfers: 1024,
  perClient: 512,
  cacheBytes: 512 * 1024 * 1024,
  fileBytes: 256 * 1024 * 1024,
  options: defaultOptionLimits,
  stopMs: 3000,
}

export interface TftpListenerOptions {
  /** An address, or `0.0.0.0` (every IPv4 address of the machine) or `::` (every address). */
  readonly bind: string
  /** 0: any free port. */
  readonly port: number
  readonly source: FileSource
  readonly events: EventSink
  readonly limits?: Partial<TftpLimits>
  /**
   * Whether long transfers use system calls instead of Node's sockets. `auto`, the default: where this
   * machine can run the native backend, whose thread `start` begins. `required`, for tests and
   * benchmarks: `start` waits for the native backend, and fails without it.
   */
  readonly native?: NativeMode
}

type ReadRequest = Extract<Packet, { type: 'rrq' }>

export class TftpListener implements Listener {
  readonly name = 'tftp'
  readonly #source: FileSource
  readonly #events: EventSink
  readonly #limits: TftpLimits
  readonly #listenSockets: ListenSockets
  readonly #sessions: Sessions
  readonly #files: FileCache
  readonly #backends: Backends
  /** Ten events about junk in a second: a flood must not fill the log. */
  readonly #noiseLimit = new RateLimit(10, 1000)
  /** One event about reached limits in ten seconds. */
  readonly #fullReportLimit = new RateLimit(1, 10_000)
  #closed = false
  #stopping: Promise<void> | undefined
  #onLastSessionEnd: (() => void) | undefined

  constructor(options: TftpListenerOptions) {
    this.#source = options.source
    this.#events = options.events
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#sessions = new Sessions(this.#limits)
    this.#files = new FileCache(this.#limits)
    this.#backends = new Backends(options.native ?? 'auto')
    this.#listenSockets = new ListenSockets({
      bind: options.bind,
      port: options.port,
      onDatagram: (bytes, from, listenSocket) => this.#receive(bytes, from, listenSocket),
      onTrouble: (message) => this.#events({ type: 'trouble', where: 'tftp', message }),
    })
  }

  get address(): ListenAddress | undefined {
    return this.#listenSockets.address
  }

  async start(): Promise<void> {
    await this.#backends.open()
    await this.#listenSockets.open()
  }

  /** Running transfers have ports of their own. */
  refuseNew(): void {
    this.#listenSockets.close()
  }

  *transfers(): Iterable<RunningTransfer> {
    for (const session of this.#sessions) yield { key: session, moved: session.transfer?.lastPacketMs ?? 0 }
  }

  stop(how?: 'now'): Promise<void> {
    this.#stopping ??= this.#close()
    if (how === 'now') this.#onLastSessionEnd?.()
    return this.#stopping
  }

  async #close(): Promise<void> {
    this.refuseNew()
    if (this.#sessions.size > 0) await this.#lastSessionEnd()
    this.#closed = true
    for (const session of [...this.#sessions]) session.transfer?.abort('the server is stopping')
    await this.#backends.close()
  }

  /** Waits until no session is left, or for `stopMs`. */
  async #lastSessionEnd(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#onLastSessionEnd = resolve
      timer = setTimeout(resolve, this.#limits.stopMs)
    })
    clearTimeout(timer)
  }

  #receive(bytes: Buffer, from: RemoteInfo, listenSocket: ListenSocket): void {
    const packet = decodePacket(bytes)
    switch (packet.type) {
      case 'rrq':
        this.#admit(packet, bytes, from, listenSocket)
        break
      case 'wrq':
        this.#refuseWrite(packet.filename, from, listenSocket)
        break
      case 'malformed':
        // A malformed request gets an ERROR. Other junk gets no reply: two servers could reply to each other
        // for ever.
        if (packet.opcode === 1 || packet.opcode === 2)
          sendError(listenSocket, from, errorCode.illegalOperation, packet.reason)
        this.#noise(from, packet.reason)
        break
      case 'data':
      case 'ack':
      case 'error':
      case 'oack':
        this.#noise(from, `${packet.type.toUpperCase()} on the port for requests; expected RRQ`)
    }
  }

  #admit(packet: ReadRequest, bytes: Buffer, from: RemoteInfo, listenSocket: ListenSocket): void {
    const nowMs = performance.now()
    const key = `${from.address} ${from.port} ${listenSocket.local.address}`
    const client = from.address
    switch (this.#sessions.admissionOf({ key, client, request: bytes }, nowMs)) {
      case 'repeat':
        return
      case 'full':
        if (!this.#makeRoom(client, nowMs)) return
        break
      case 'restarted':
        this.#drop(this.#sessions.find(key), 'the client has sent a new request')
        break
      case 'new':
        break
    }
    // A copy, because Node's datagrams are parts of larger buffers.
    const request = Buffer.from(bytes)
    const session: Session = { key, client, request, startMs: nowMs, transfer: undefined }
    this.#sessions.add(session)
    void this.#serve(packet, session, from, listenSocket)
  }

  /**
   * Evicts a session whose client never responded. Returns false when there is none to evict: then the
   * request gets no reply.
   */
  #makeRoom(client: string, nowMs: number): boolean {
    this.#reportFull(client, nowMs)
    const evicted = this.#sessions.evictable(client, nowMs)
    this.#drop(evicted, 'the client never responded, and another client needed the place')
    return evicted !== undefined
  }

  #drop(session: Session | undefined, reason: string): void {
    if (!session) return
    this.#sessions.remove(session)
    session.transfer?.drop(reason)
  }

  /**
   * Starts the transfer, or replies with an ERROR at once: loaders ask for a dozen names that do not exist.
   */
  async #serve(
    packet: ReadRequest,
    session: Session,
    from: RemoteInfo,
    listenSocket: ListenSocket,
  ): Promise<void> {
    const { address: localAddress, family } = listenSocket.local
    try {
      if (packet.mode === 'mail')
        throw new Failure('unsupported', 'mail mode is not served; use octet or netascii')
      const path = requestPath(packet.filename)
      const who = requesterOf(from.address, localAddress)
      const entry = await this.#fileAt(path, who)
      const file = await this.#files.get(path, entry, packet.mode)
      // Meanwhile the client may have sent a new request, or the service may have been stopped.
      if (this.#sessions.find(session.key) !== session || this.#closed) return
      const agreed = negotiate(packet.options, file.size, this.#limits.options)
      session.transfer = this.#backends.start({
        localAddress,
        remoteAddress: from.address,
        remotePort: from.port,
        family,
        agreed,
        oack: agreed.accepted.size > 0 ? encodePacket({ type: 'oack', options: agreed.accepted }) : undefined,
        file,
        onEnd: (result) =>
          this.#ended(session, { path, decision: entry.decision, who, blksize: agreed.blksize }, result),
      })
      if (file.size >= largeFile)
        this.#events({ type: 'sending', protocol: 'tftp', client: who.address, path, size: file.size })
    } catch (error) {
      const { code, text } = errorReply(error)
      // A client that has sent a new request from the same port would take this for the reply to it.
      if (this.#sessions.find(session.key) === session) sendError(listenSocket, from, code, text)
      this.#ended(session, { path: packet.filename }, { end: 'failed', bytes: 0, error })
    }
  }

  async #fileAt(path: CleanPath, who: Requester): Promise<Entry> {
    const entry = await this.#source.stat(path, who)
    if (!entry) throw new Failure('not-found', `file not found: ${path}`)
    if (entry.kind !== 'file') throw new Failure('not-found', `${path} is a folder`)
    return entry
  }

  #ended(
    session: Session,
    served: Pick<ServedRequest, 'path' | 'decision' | 'who' | 'blksize'>,
    result: TransferResult,
  ): void {
    this.#sessions.remove(session)
    if (this.#sessions.size === 0) this.#onLastSessionEnd?.()
    const { client, startMs } = session
    const event = servedEvent({ client, startMs, ...served }, result, performance.now())
    if (event) this.#events(event)
  }

  #refuseWrite(filename: string, from: RemoteInfo, listenSocket: ListenSocket): void {
    sendError(listenSocket, from, errorCode.accessViolation, 'this server is read-only')
    // Long enough for a log line: a request may have a name of more than 1,400 octets.
    const name = JSON.stringify(filename.slice(0, 200))
    this.#noise(from, `write request for ${name} refused: TFTP is read-only here`)
  }

  #reportFull(client: string, nowMs: number): void {
    if (!this.#fullReportLimit.admit(nowMs)) return
    const { transfers, perClient } = this.#limits
    const limits = `at most ${transfers} transfers, ${perClient} for one client`
    const message = `no room for ${plainAddress(client)}: ${limits}; its requests wait`
    this.#events({ type: 'trouble', where: 'tftp', message })
  }

  #noise(from: RemoteInfo, message: string): void {
    if (!this.#noiseLimit.admit(performance.now())) return
    this.#events({ type: 'noise', protocol: 'tftp', client: plainAddress(from.address), message })
  }
}

/** Sends an ERROR from the listening socket: no transfer begins, so it needs no port of its own. */
function sendError(listenSocket: ListenSocket, to: RemoteInfo, code: ErrorCode, text: string): void {
  try {
    listenSocket.socket.send(errorPacket(code, text), to.port, to.address, () => undefined)
  } catch {
    // The request came from port 0, or the socket is being closed: no reply is possible.
  }
}
